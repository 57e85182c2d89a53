"""The name of a training run: every setting that the training depends on changes it, so no other run is resumed."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from assay.rubric import Rubric
from assay.storage import Snapshot, write_snapshot
from assay.training import TrainConfig, run_name

RUBRIC = Rubric("mine", 0, 5, 3)
ASSIGNMENT = pd.DataFrame(
    {"id": list("abcdef"), "part": ["train", "train", "train", "calibration", "calibration", "test"]}
).assign(cluster=range(6))


@pytest.fixture
def name(tmp_path: Path, tiny_encoder: Path) -> "Name":
    table = pa.table({"id": list("abcdef"), "text": [f"text {one}" for one in "abcdef"]})
    snapshot = write_snapshot(tmp_path / "snapshot", table.to_batches(), provenance={})
    return Name(snapshot, TrainConfig(encoder=str(tiny_encoder)))


class Name:
    """The name of a run with some settings changed."""

    def __init__(self, snapshot: Snapshot, config: TrainConfig) -> None:
        self.snapshot, self.config = snapshot, config

    def __call__(self, *, threshold: float = 3, assignment: pd.DataFrame = ASSIGNMENT, **changes: object) -> str:
        config = replace(self.config, **changes)  # type: ignore[arg-type]
        return run_name(self.snapshot, assignment, replace(RUBRIC, threshold=threshold), config)


def test_the_threshold_counts_where_the_training_depends_on_it(name: Name) -> None:
    assert name(threshold=3) == name(threshold=4), "the regression does not read it"
    assert name(threshold=3, loss="binary") != name(threshold=4, loss="binary")
    assert name(threshold=3, folds=2) != name(threshold=4, folds=2), "folds are balanced by it"


def test_with_folds_the_calibration_part_counts(name: Name) -> None:
    moved = ASSIGNMENT.assign(part=["train", "train", "train", "calibration", "test", "calibration"])

    alone = {"refit": False, "learning_curve": False}
    assert name(**alone) == name(assignment=moved, **alone), "without folds only the train part is learned from"
    assert name(refit=False) != name(assignment=moved, refit=False), "the learning curve scores the test part"
    assert name(learning_curve=False) != name(refit=False, learning_curve=False)
    assert name(folds=2) != name(assignment=moved, folds=2)
    assert name(folds=2) != name(assignment=ASSIGNMENT.assign(cluster=[0, 0, 1, 2, 3, 4]), folds=2)


def test_an_encoder_that_was_trained_again_counts(name: Name, tiny_encoder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "encoder"
    copy.mkdir()
    for file in tiny_encoder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    before = name(encoder=str(copy))
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")

    assert name(encoder=str(copy)) != before
