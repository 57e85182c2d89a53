"""The whole way on the shipped sample, in a few minutes on two cores: `make demo`."""

from flytekit import workflow

from tasks.clock import now
from tasks.package import package_model
from tasks.quickstart_summary import summarise_quickstart
from tasks.register import Registration
from tasks.serve_check import check_serving
from workflows.filtering import filter_corpus
from workflows.training import train_quality_classifier


@workflow
def quickstart(tracking: str = "mlflow", seed: int = 0) -> Registration:
    """Train a classifier of educational value on 450 documents, prove it, ship it, and filter a corpus with it.

    Args:
        tracking: mlflow, neptune or none
        seed: of split, head and order
    """
    started = now()
    registration = train_quality_classifier(
        source="data/sample/documents.jsonl",
        rubric="education",
        recipe="quickstart",
        seed=seed,
        tracking=tracking,
    )
    packaged = package_model(registry=registration.registry, version=registration.version)
    checked = check_serving(bento=packaged.bento)
    selection = filter_corpus(
        source="installed-docs:numpy,networkx,flytekit",
        model=registration.version,
        registry=registration.registry,
        token_budget=100_000,
        slice_by="package",
        rows_per_part=500,
        workers=2,
    )
    return summarise_quickstart(
        registration=registration, packaged=packaged.stage, checked=checked, selection=selection, started=started
    )
