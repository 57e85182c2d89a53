"""`kedro run` of the shipped project: the same model and the same selection as without Kedro."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assay.options import build
from assay.pipeline import TrainingRequest, train_and_evaluate
from assay.registry import Registry
from assay.scoring import score_corpus
from assay.selection import FilteringRequest, select_corpus
from assay.storage import Snapshot, digest_file

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data/sample/documents.jsonl"
FILTERING = {"source": str(SAMPLE), "share": 0.2, "rows_per_part": 200, "slice_by": "genre"}


def trained_on(encoder: str) -> dict:
    return {
        "source": str(SAMPLE),
        "rubric": "education",
        "encoder": encoder,
        "window_tokens": 48,
        "epochs": 1,
        "learning_curve": False,
        "seeds": 2,
        "slice_by": ["genre"],
    }


class KedroProject:
    """A copy of the project in a folder, with settings of its own in conf/local."""

    def __init__(self, folder: Path, **parameters: object) -> None:
        self.folder = Path(shutil.copytree(ROOT / "integrations/kedro", folder / "kedro", ignore=self.made))
        self.work = self.folder / "work"
        written = yaml.safe_dump(parameters)
        (self.folder / "conf/local/parameters.yml").write_text(written, encoding="utf-8")

    @staticmethod
    def made(_: str, names: list[str]) -> set[str]:
        return {"work", "__pycache__"} & set(names)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY_", "KEDRO_"))}
        return subprocess.run(
            [sys.executable, "-m", "kedro", "run", *arguments],
            cwd=self.folder,
            env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=500,
        )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def by_kedro(folder: Path, training: dict) -> KedroProject:
    project = KedroProject(folder, training=training, filtering=FILTERING)
    for arguments in ((), ("--pipeline", "filtering")):
        run = project.run(*arguments)
        assert run.returncode == 0, run.stdout + run.stderr
    return project


def require_same(project: KedroProject, training: dict, folder: Path) -> None:
    """The model and the selection of the project are those of the library alone."""
    train_and_evaluate(build(TrainingRequest, training), folder / "model")
    model = project.work / "kedro/model"
    assert digest_file(model / "model.safetensors") == digest_file(folder / "model/model.safetensors")
    for name in ("golden.jsonl", "request.json"):
        assert (model / name).read_text() == (folder / "model" / name).read_text()
    assert names(model) == names(folder / "model")
    figures = [json.loads((of / "evaluation.json").read_text()) for of in (model, folder / "model")]
    assert figures[0]["metrics"] == figures[1]["metrics"]
    assert figures[0]["seeds"] == figures[1]["seeds"]

    request = build(FilteringRequest, FILTERING)
    given = (request.source, model, request.columns, str(folder / "scores"))
    score_corpus(*given, request.scoring)
    selected = select_corpus(*given, request.selection, str(folder / "selection"))
    assert Snapshot.open(project.work / "kedro/selection").manifest.version == selected.manifest.version


@pytest.fixture(scope="module")
def training(tiny_encoder: Path) -> dict:
    return trained_on(str(tiny_encoder))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, training: dict) -> KedroProject:
    return by_kedro(tmp_path_factory.mktemp("run"), training)


@pytest.mark.full
def test_kedro_gives_the_same_model_and_selection_as_the_library(
    project: KedroProject, training: dict, tmp_path: Path
) -> None:
    require_same(project, training, tmp_path)


@pytest.mark.full
def test_the_model_is_registered_and_tracked(project: KedroProject) -> None:
    from mlflow import MlflowClient

    registration = json.loads((project.work / "kedro/registration.json").read_text())
    (version,) = Registry(str(project.work / "registry")).versions()
    assert registration["version"] == version.name

    run = MlflowClient(tracking_uri=f"sqlite:///{project.work}/mlflow.db").get_run(
        json.loads((project.work / "kedro/tracker-run.json").read_text())
    )
    assert run.data.tags["version"] == version.name
    assert run.data.params["training.epochs"] == "1"
    assert {"test/f1", "train/loss"} <= set(run.data.metrics)
    assert not (project.work / "checkpoints").exists()


@pytest.mark.full
def test_a_run_resumes_from_what_the_catalog_holds(project: KedroProject) -> None:
    model = project.work / "kedro/model"
    before = digest_file(model / "model.safetensors")

    run = project.run("--from-nodes", "calibrate_model", "--params", "tracking=none")

    assert run.returncode == 0, run.stdout + run.stderr
    assert digest_file(model / "model.safetensors") == before


@pytest.mark.full
def test_bad_options_are_refused_by_their_name(project: KedroProject) -> None:
    run = project.run("--params", "training.epoch=3")
    assert run.returncode != 0
    assert "Did you mean epochs?" in run.stdout + run.stderr

    run = project.run("--pipeline", "filtering", "--params", "filtering.model=champion")
    assert run.returncode != 0
    assert "the model is an entry of the catalog" in run.stdout + run.stderr


def test_nothing_is_sent_to_the_authors_of_kedro() -> None:
    assert yaml.safe_load((ROOT / "integrations/kedro/.telemetry").read_text()) == {"consent": False}


def test_every_option_of_the_shipped_parameters_is_known() -> None:
    given = yaml.safe_load((ROOT / "integrations/kedro/conf/base/parameters.yml").read_text())

    assert build(TrainingRequest, given["training"]).rubric == "education"
    assert build(FilteringRequest, given["filtering"]).selection.share == 0.2


def test_the_catalog_has_what_the_nodes_pass_to_each_other() -> None:
    """An output outside the catalog would be in memory alone, and a run could not resume from it."""
    from assay_kedro.pipeline_registry import register_pipelines

    catalog = yaml.safe_load((ROOT / "integrations/kedro/conf/base/catalog.yml").read_text())
    pipelines = register_pipelines()
    passed = {name for pipeline in pipelines.values() for name in pipeline.datasets()}

    assert {name for name in passed if not name.startswith("params:")} == set(catalog)
    assert pipelines["__default__"] is pipelines["training"]
    assert pipelines["filtering"].inputs() == {"params:filtering", "params:scores", "model"}
