"""The whole way on the shipped sample, in a few minutes on two cores: `make demo`."""

from flytekit import workflow

from tasks.register import Registration
from workflows.training import train_quality_classifier


@workflow
def quickstart(tracking: str = "mlflow", seed: int = 0) -> Registration:
    """Train a classifier of educational value on 450 documents, and say how good it is.

    Args:
        tracking: mlflow, neptune or none
        seed: of split, head and order
    """
    return train_quality_classifier(
        source="data/sample/documents.jsonl",
        rubric="education",
        recipe="quickstart",
        seed=seed,
        tracking=tracking,
    )
