"""The `.dvc` file of a snapshot, and DVC itself on it."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from assay.cli import main
from assay.storage import Snapshot, write_snapshot
from assay.storage.dvc import _digest

DVC = "dvc==3.67.1"


@pytest.fixture
def corpus(tmp_path: Path) -> Snapshot:
    table = pa.table({"id": [f"d{n}" for n in range(40)], "text": [f"document number {n}" for n in range(40)]})
    made = write_snapshot(tmp_path / "repository/corpus", table.to_batches(), provenance={})
    (tmp_path / "repository/corpus/README.md").write_text("a card")
    return made


def test_the_digest_of_a_folder_is_that_of_dvc(tmp_path: Path) -> None:
    """The digest that `dvc add` of DVC 3.67.1 gave for these files."""
    (tmp_path / "sub").mkdir()
    for name, text in (("b.txt", "a\n"), ("a.txt", "b\n"), ("sub/ä.txt", "c\n")):
        (tmp_path / name).write_text(text)
    assert _digest(tmp_path, [path for path in tmp_path.rglob("*") if path.is_file()]) == (
        "e2840952c1cceda58ff65aa04f0c9d84"
    )


def test_the_file_names_folder_version_and_documents(corpus: Snapshot, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", "dvc", corpus.url]) == 0

    place = Path(f"{corpus.url}.dvc")
    assert str(place) in capsys.readouterr().out
    fields = yaml.safe_load(place.read_text())
    (out,) = fields["outs"]
    files = list(Path(corpus.url).iterdir())
    assert (out["path"], out["nfiles"], out["hash"]) == ("corpus", len(files), "md5")
    assert out["size"] == sum(path.stat().st_size for path in files)
    assert fields["meta"] == {"snapshot": corpus.manifest.version, "documents": 40}
    before = place.read_bytes()
    assert main(["snapshot", "dvc", f"{corpus.url}/"]) == 0
    assert place.read_bytes() == before


def test_a_folder_without_a_snapshot_and_a_url_are_refused(
    tmp_path: Path, corpus: Snapshot, s3: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", "dvc", str(tmp_path)]) == 2
    assert "no snapshot" in capsys.readouterr().err
    far = write_snapshot(f"{s3}/{tmp_path.name}/corpus", corpus.batches(), provenance={})
    assert main(["snapshot", "dvc", far.url]) == 2
    assert "not on this machine" in capsys.readouterr().err


@pytest.mark.full
def test_dvc_accepts_the_file_and_stores_the_snapshot(corpus: Snapshot, tmp_path: Path) -> None:
    """With the real DVC in an environment of its own: it pins libraries that this project has in other versions."""
    home, uv = Path(corpus.url).parent, Path(sys.executable).with_name("uv")

    def run(*command: str) -> str:
        silent = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(command, cwd=home, env=silent, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def dvc(*command: str) -> str:
        return run(str(tmp_path / "dvc/bin/dvc"), *command)

    run(str(uv), "venv", "--python", sys.executable, str(tmp_path / "dvc"))
    run(str(uv), "pip", "install", "--python", str(tmp_path / "dvc/bin/python"), DVC)
    run("git", "init", "--quiet")
    dvc("init", "--quiet")
    assert main(["snapshot", "dvc", corpus.url]) == 0
    written = (home / "corpus.dvc").read_bytes()

    first = dvc("status", "corpus.dvc")
    assert "not in cache" in first  # and, since the digest is the same, not modified
    assert "modified" not in first
    dvc("commit", "--force", "corpus.dvc")
    assert yaml.safe_load((home / "corpus.dvc").read_bytes()) == yaml.safe_load(written)
    assert "up to date" in dvc("status", "corpus.dvc")

    (home / "corpus/README.md").write_text("another card")
    assert "modified" in dvc("status", "corpus.dvc")
    dvc("checkout", "--force", "corpus.dvc")
    assert (home / "corpus/README.md").read_text() == "a card"
    Snapshot.open(corpus.url).verify()
