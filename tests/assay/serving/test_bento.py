"""A Bento holds everything that serves a version, and has the same bytes wherever it is built."""

import ast
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.registry import Registry
from assay.serving import Bento, build_bento
from assay.serving.bento import CODE
from assay.storage import digest_file, digest_folder

ROOT = Path(__file__).resolve().parents[3]
CREATED = "2026-01-02T03:04:05+00:00"


def test_a_registered_version_becomes_a_folder_that_holds_everything(
    tiny_model: Path, bento: Bento, tmp_path: Path
) -> None:
    version = Registry(str(tmp_path / "registry")).register(tiny_model, {})

    assert bento.tag == f"assay-education:{version.name}"
    assert Bento.open(bento.path) == bento
    assert {file: digest_file(bento.model / file) for file in version.files} == version.files
    lock = [line.removesuffix(" \\") for line in (ROOT / "requirements.lock").read_text().splitlines()]
    packages = [line for line in lock if not line.startswith(" ")]
    assert (bento.path / "env/python/requirements.txt").read_text().splitlines()[: len(packages)] == packages
    assert "'413'" in (bento.path / "apis/openapi.yaml").read_text()
    assert "ENV BENTOML_DO_NOT_TRACK" in (bento.path / "env/docker/Dockerfile").read_text()


def test_the_same_version_gives_the_same_bytes_without_network_and_without_touching_the_home(
    tiny_model: Path, bento: Bento, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            requested.append(self.path)
            self.send_error(502)

        do_GET = do_POST = do_CONNECT  # noqa: N815

    elsewhere = shutil.copytree(tiny_model, tmp_path / "another place" / "model")
    home = tmp_path / "home"
    home.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        monkeypatch.setenv("PATH", os.defpath)
        monkeypatch.setenv("ASSAY_SERVE_SECONDS", "7")
        monkeypatch.chdir(tmp_path)
        again = build_bento(elsewhere, bento.version, Path("again"), created=CREATED)
        proxy.shutdown()

    assert digest_folder(again.path) == digest_folder(bento.path)
    assert requested == []
    assert list(home.iterdir()) == []
    texts = [file.read_bytes() for file in again.path.rglob("*") if file.is_file()]
    assert not any(str(place).encode() in text for text in texts for place in (tmp_path, tiny_model.parent, ROOT))


def test_a_model_that_cannot_be_packed_is_refused_and_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    version, output = digest_folder(tiny_model)[:12], tmp_path / "out" / "bento"

    with pytest.raises(InputError, match="not the model 0123456789ab: its content is"):
        build_bento(tiny_model, "0123456789ab", output, created=CREATED)
    with pytest.raises(InputError, match="list of requirements is missing"):
        build_bento(tiny_model, version, output, created=CREATED, requirements=tmp_path / "nothing")
    with pytest.raises(InputError, match=r"assay\.json is missing"):
        build_bento(ROOT / "data", digest_folder(ROOT / "data")[:12], output, created=CREATED)
    with pytest.raises(InputError, match=r"bento\.yaml is missing"):
        Bento.open(tmp_path)
    assert not output.parent.exists()

    output.mkdir(parents=True)
    with pytest.raises(InputError, match="exists already"):
        build_bento(tiny_model, version, output, created=CREATED)
    assert list(output.parent.iterdir()) == [output]


def test_the_packed_code_imports_nothing_of_assay_that_is_not_packed() -> None:
    """Imports at the head of a module. Those inside functions are of what a server does not do, such as fetching."""
    packed = {name.removesuffix(".py") for name in CODE} | {"assay"}
    files = [
        path
        for name in CODE
        for path in ([ROOT / "assay" / name], (ROOT / "assay" / name).rglob("*.py"))[name[-3:] != ".py"]
    ]
    missing = {
        f"{file.relative_to(ROOT)}: {node.module}"
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("assay.")
        if str(node.module).split(".")[1] not in packed
    }

    assert len(files) > 50
    assert missing == set()
