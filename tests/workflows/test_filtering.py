"""`pyflyte run` of a filtering run, and of the whole quickstart on a disk and on a local S3."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from checkout import STAGES, Checkout, finish

from assay.deployment import LocalTarget
from assay.deployment.local_settings import LocalSettings
from assay.registry import Registry
from assay.serving import ask

SHIPPED = ["Package", "Serve check"]
FILTERED = ["Acquire corpus", "Score", "Select"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_model: Path) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("run"), tiny_encoder)
    registry = Registry(str(made.work / "registry"))
    version = registry.register(tiny_model, {})
    registry.ensure_alias("champion", version.name, who="test", why="the only one")
    return made


def filter_corpus(checkout: Checkout, budget: int) -> tuple[dict[str, bool], str, str]:
    given = ["--source", str(checkout.source), "--options", "{slice_by: genre, rows_per_part: 100}"]
    run = checkout.launch("filtering.py", "filter_corpus", *given, "--token_budget", str(budget), "--workers", "2")
    return finish(run, FILTERED)


@pytest.fixture(scope="module")
def first_filtering(checkout: Checkout) -> str:
    cached, out, _ = filter_corpus(checkout, 20_000)
    assert not any(cached.values())
    return out


@pytest.mark.full
def test_a_corpus_is_scored_and_selected_from(checkout: Checkout, first_filtering: str) -> None:
    out = first_filtering
    assert "0 of 5 parts existed" in out
    assert "20,000 tokens promised" in out
    (first,) = (checkout.work / "selections").iterdir()
    table = pd.read_parquet(first / "part-00000.parquet")
    assert 15_000 < table["tokens"].sum() <= 20_000
    assert {"genre", "topic", "score", "p_keep", "corpus_row"} <= set(table.columns)
    assert (first / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.full
def test_a_corpus_is_scored_once_and_selected_from_several_times(checkout: Checkout, first_filtering: str) -> None:
    out = first_filtering
    (first,) = (checkout.work / "selections").iterdir()
    table = pd.read_parquet(first / "part-00000.parquet")

    cached, again, _ = filter_corpus(checkout, 20_000)
    assert all(cached.values())
    assert again[again.index("Selected") :] == out[out.index("Selected") :]

    (lost,) = (checkout.work / "scores").glob("*/rows-000000000200-*.parquet")
    lost.unlink()
    cached, out, _ = filter_corpus(checkout, 10_000)
    assert cached == {"Acquire corpus": True, "Score": False, "Select": False}
    assert "4 of 5 parts existed" in out
    assert lost.exists()
    smaller = max((checkout.work / "selections").iterdir(), key=lambda path: path.stat().st_mtime)
    assert set(pd.read_parquet(smaller / "part-00000.parquet")["id"]) < set(table["id"])


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return variables with which s3fs and flytekit reach a moto server, a process of its own."""
    import urllib.request

    import fsspec

    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    port = 21_500
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
    )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            break
        except OSError:
            time.sleep(0.2)
    given = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    store = fsspec.filesystem("s3", key="test", secret="test", endpoint_url=url, skip_instance_cache=True)
    store.mkdir("assay")
    yield {
        **given,
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "FLYTE_AWS_ENDPOINT": url,
        **{f"FLYTE_{name}": value for name, value in given.items()},
        **{f"ASSAY_{name}": f"s3://assay/{name.lower()}" for name in ("REGISTRY", "LEDGER", "SCORES")},
    }
    server.terminate()
    server.wait(timeout=30)


def quickstart(
    checkout: Checkout, prefix: str = "", port: int = 0, **variables: str
) -> tuple[dict[str, bool], str, str]:
    given = ["--options", checkout.options(), "--token_budget", "5000", "--port", str(port)]
    given += ["--corpus", "installed-docs:pluggy,iniconfig,pytest"]
    run = checkout.launch("quickstart.py", "quickstart", *given, prefix=prefix, **variables)
    return finish(run, [*STAGES, *SHIPPED, *FILTERED])


@pytest.mark.full
@pytest.mark.parametrize("place", ["disk", "s3"])
def test_the_quickstart_ships_a_model_and_a_selection_and_is_cached_the_second_time(
    place: str, tmp_path: Path, tiny_encoder: Path, port: int, request: pytest.FixtureRequest
) -> None:
    checkout = Checkout(tmp_path, tiny_encoder)
    variables = request.getfixturevalue("s3") if place == "s3" else {}
    prefix = "s3://assay/raw" if place == "s3" else ""
    port = port if place == "disk" else 0
    if port:
        target = LocalTarget(LocalSettings(checkout.work / "deployment", "", port=port))
        request.addfinalizer(target.stop)

    cached, out, err = quickstart(checkout, prefix, port, **variables)
    assert not any(cached.values())
    assert "Warning" not in out + err
    selection = next(line.split()[1] for line in out.splitlines() if line.startswith("selection:"))
    if place == "s3":
        import s3fs

        store = s3fs.S3FileSystem(key="test", secret="test", endpoint_url=variables["AWS_ENDPOINT_URL"])
        assert selection.startswith("s3://assay/raw/")
        manifest = json.loads(store.cat_file(f"{selection}/manifest.json"))
        found = {name.split("/")[1] for name in store.find("assay")}
        assert found == {"raw", "registry", "ledger", "scores"}
        assert store.glob("assay/raw/*/bento.yaml")
        # Everything that the second run needs is in the store.
        subprocess.run(["rm", "-rf", str(checkout.work)], check=True)
    else:
        manifest = json.loads((Path(selection) / "manifest.json").read_text())
        (version,) = (checkout.work / "registry" / "versions").iterdir()
        assert f"serving: http://127.0.0.1:{port}" in out
        assert serving(port) == version.name
    assert manifest["tokens"] <= 5_000

    cached, _, _ = quickstart(checkout, prefix, port, **variables)
    assert all(cached.values())
    assert place == "s3" or serving(port) == version.name


def serving(port: int) -> str:
    """Return the version that answers a client."""
    body = {"documents": [{"id": "a", "text": "Water boils."}]}
    status, answers = ask(f"http://127.0.0.1:{port}", "/score", body)
    assert status == 200
    return str(answers[0]["model"]["version"])


@pytest.mark.full
def test_a_port_that_another_program_uses_ends_the_run_before_anything_else(tmp_path: Path, tiny_encoder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        run = Checkout(tmp_path, tiny_encoder).launch(
            "quickstart.py", "quickstart", "--port", str(other.getsockname()[1])
        )
        out, _ = run.communicate(timeout=300)

    assert run.returncode != 0
    assert "cannot be used" in out
    assert " ".join(out.split()).endswith("Name another, or 0 to serve nothing: make demo PORT=3001")
