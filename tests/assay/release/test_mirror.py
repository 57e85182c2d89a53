"""The mirror in MLflow's model registry, with a real SQLite store."""

import json
import shutil
from pathlib import Path

import pytest

from assay.cli import main
from assay.errors import InputError
from assay.registry import CHAMPION, Registry, promote
from assay.release import mirror_version, register_model
from assay.storage import digest_folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(str(tmp_path_factory.mktemp("mirrored") / "registry"))


@pytest.fixture(scope="module", autouse=True)
def names(registry: Registry, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two versions, the first of which becomes champion. Their times may be the same."""
    folder = tmp_path_factory.mktemp("models")
    other = shutil.copytree(tiny_model, folder / "other")
    (other / "README.md").write_text("another card")
    given = {"who": "a test", "promote_refused": "a test"}
    return [register_model(registry.url, model, **given).version for model in (tiny_model, other)]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store for all tests: making its database takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def client(uri: str):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_a_version_is_mirrored_once_with_files_figures_digest_and_aliases(
    registry: Registry,
    uri: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import mlflow

    version = registry.get(CHAMPION)
    command = ["registry", "mirror", "champion", "--mlflow", uri, "--registry", registry.url]

    assert main(command) == 0
    assert capsys.readouterr().out == f"assay version 1: {version.name} was registered; champion was set\n"
    before = client(uri).get_model_version_by_alias("assay", "champion")
    assert main(command) == 0
    assert capsys.readouterr().out == "assay version 1: nothing changed\n"

    (kept,) = client(uri).search_model_versions("name = 'assay'")
    after = client(uri).get_model_version_by_alias("assay", "champion")
    assert dict(after) == dict(before)
    assert kept.tags["assay.digest"] == version.digest
    assert kept.tags["assay.snapshot"] == version.record["lineage"]["snapshot"]
    run = client(uri).get_run(kept.run_id)
    assert run.data.metrics["spearman"] == pytest.approx(version.record["metrics"]["spearman"])
    assert len(client(uri).search_runs([run.info.experiment_id])) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    place = mlflow.artifacts.download_artifacts("models:/assay@champion", dst_path=str(tmp_path / "copy"))
    with registry.open(version.name) as model:
        assert digest_folder(Path(place)) == digest_folder(model)
    assert not Path("mlruns").exists()


def test_an_alias_that_moved_here_moves_there(registry: Registry, names: list[str], uri: str) -> None:
    old, new = names
    first = mirror_version(registry.url, old, uri, "moving")
    promote(registry, new, against=old, who="a test", why="better")

    second = mirror_version(registry.url, new, uri, "moving")
    again = mirror_version(registry.url, old, uri, "moving")

    assert (first.number, second.number, again.number) == ("1", "2", "1")
    assert second.changes == (f"{new} was registered", "champion was set")
    assert again.changes == ("previous was set",)
    aliases = client(uri).get_registered_model("moving").aliases
    assert {alias: str(number) for alias, number in aliases.items()} == {"champion": "2", "previous": "1"}


def test_an_alias_does_not_stay_on_a_version_that_it_left(registry: Registry, names: list[str], uri: str) -> None:
    old, new = names
    promote(registry, new, against=old, who="a test", why="better")
    mirror_version(registry.url, old, uri, "stale")
    client(uri).set_registered_model_alias("stale", "champion", "1")

    assert mirror_version(registry.url, old, uri, "stale").changes[0].startswith("champion was removed")
    assert "champion" not in client(uri).get_registered_model("stale").aliases


def test_a_model_that_is_not_what_was_registered_is_not_mirrored(registry: Registry, uri: str, tmp_path: Path) -> None:
    damaged = Registry(str(shutil.copytree(registry.url, tmp_path / "registry")))
    name = damaged.versions()[0].name
    (tmp_path / "registry/versions" / name / "model/assay.json").write_text(json.dumps({}))

    with pytest.raises(InputError, match=r"assay\.json is missing or not what was registered"):
        mirror_version(damaged.url, name, uri, "damaged")
    assert client(uri).search_model_versions("name = 'damaged'") == []


def test_a_store_that_cannot_be_reached_is_named(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--mlflow", "http://127.0.0.1:9", "--registry", registry.url]
    assert main(["registry", "mirror", "champion", *given]) == 2
    assert "MLflow cannot be used" in capsys.readouterr().err
