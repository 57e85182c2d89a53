"""Training in a container: folders as SageMaker makes them, variables as Vertex AI sets them, and the real training."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from assay.jobs.train import main, run
from assay.model import ModelInfo
from assay.storage import digest_folder, list_names

OPTIONS = {"rubric": "education", "recipe": "lexical", "also": ""}


@pytest.fixture
def root(tmp_path: Path, sample: list[dict]) -> Path:
    """What SageMaker mounts at /opt/ml: all folders exist, and the model's is empty."""
    for name in ("input/config", "input/data/train", "model", "output"):
        (tmp_path / "ml" / name).mkdir(parents=True)
    rows = [{name: row[name] for name in ("id", "text", "label")} for row in sample[:300]]
    pd.DataFrame(rows).to_parquet(tmp_path / "ml/input/data/train/labels.parquet", index=False)
    return tmp_path / "ml"


def given(root: Path, **options: str) -> None:
    # Each value is a text, as CreateTrainingJob demands; the SDK adds names of its own.
    texts = {**OPTIONS, "sagemaker_region": "eu-central-1", **options}
    (root / "input/config/hyperparameters.json").write_text(json.dumps(texts))


def test_a_job_trains_and_leaves_its_model_where_sagemaker_takes_it(root: Path) -> None:
    given(root)
    (root / "input/config/resourceconfig.json").write_text(json.dumps({"current_host": "a", "hosts": ["a"]}))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "assay.jobs.train", "train", "--root", str(root)]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stderr
    info = ModelInfo.read(root / "model")
    assert (info.rubric.name, info.kind, info.calibration is not None) == ("education", "lexical", True)
    assert {"golden.jsonl", "evaluation.json", "request.json"} <= {path.name for path in (root / "model").iterdir()}
    assert not (root / "output/failure").exists()
    # A job that is started again after its checkpoint was complete only copies.
    before = digest_folder(root / "model")
    assert run(root, {}) == root / "model"
    assert digest_folder(root / "model") == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rubrik": "education"}, "no option 'rubrik' ("),
        ({"rubric": "moon"}, "moon"),
        ({"max_quarantined": "7"}, "max_quarantined is 7"),
        ({"source": "s3://"}, ""),
    ],
)
def test_why_a_job_fails_is_where_sagemaker_shows_it(
    root: Path, options: dict, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given(root, **options)

    assert main(["--root", str(root)]) == 2

    why = (root / "output/failure").read_text()
    assert says in why and len(why) <= 1024
    assert why.splitlines()[0] in capsys.readouterr().err
    assert list((root / "model").iterdir()) == []


def test_a_job_without_labels_or_on_two_machines_fails(root: Path) -> None:
    given(root)
    config = root / "input/config/resourceconfig.json"
    config.write_text(json.dumps({"current_host": "a", "hosts": ["a", "b"]}))
    assert main(["--root", str(root)]) == 2
    assert "the job has 2 instances" in (root / "output/failure").read_text()
    config.unlink()
    (root / "input/data/train/labels.parquet").unlink()
    assert main(["--root", str(root)]) == 2
    assert "there are no labels" in (root / "output/failure").read_text()


def test_a_custom_job_of_vertex_reads_and_writes_cloud_storage(root: Path, gs: str) -> None:
    import fsspec

    labels = f"{gs}/jobs/labels.parquet"
    fsspec.filesystem("gs").put(str(root / "input/data/train/labels.parquet"), labels)
    options = {"source": labels, "rubric": "education", "recipe": "lexical"}
    target = f"{gs}/jobs/run-1/model"

    assert run(root, {"ASSAY_TRAINING": json.dumps(options), "AIP_MODEL_DIR": target}) == target

    assert {"golden.jsonl", "assay.json", "evaluation.json"} <= set(list_names(target))
