"""The shipped sample, split, and runs of training on it that stop where a test wants them to."""

from pathlib import Path

from assay.labels import SplitSet, split_documents, validate
from assay.labels.split import SplitConfig
from assay.rubric import Rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot
from assay.training import TrainConfig, train_model


class Labelled:
    """The shipped sample, split."""

    def __init__(self, folder: Path, rubric: Rubric) -> None:
        source = Path(__file__).parents[3] / "data" / "sample" / "documents.jsonl"
        self.rubric = rubric
        self.snapshot: Snapshot = acquire(open_source(str(source)), Columns(label="label"), folder / "snapshot")
        self.documents = validate(self.snapshot, rubric).documents
        self.assignment = split_documents(
            self.snapshot, self.documents, rubric, ledger=None, config=SplitConfig(seed=0)
        ).assignment
        self.set = SplitSet(rubric, self.snapshot, self.documents, self.assignment)


class StoppedError(Exception):
    """The run is stopped."""


def train(labelled: Labelled, config: TrainConfig, folder: Path, *, stop_after: int = 0) -> Path:
    """Train into `folder`, and return the model folder; the curve lies beside it.

    `stop_after`: checkpoints after which the run stops with StoppedError.
    """
    saved = 0

    def after_save(_: Path) -> None:
        nonlocal saved
        saved += 1
        if saved == stop_after:
            raise StoppedError

    curve = train_model(
        labelled.snapshot,
        labelled.documents,
        labelled.assignment,
        labelled.rubric,
        config,
        output=folder / "model",
        checkpoints=folder / "checkpoints",
        after_save=after_save,
    )
    curve.to_parquet(folder / "curve.parquet")
    return folder / "model"
