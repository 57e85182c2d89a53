"""From the shipped sample to a model in service and a filtered corpus, in minutes on two cores: `make demo`."""

from flytekit import workflow

from tasks.clock import now
from tasks.package import package_model
from tasks.quickstart_summary import summarise_quickstart
from tasks.register import Registration
from tasks.serve_check import check_serving
from tasks.serve_here import look_at_port, serve_here
from workflows.filtering import filter_corpus
from workflows.training import train_quality_classifier


@workflow
def quickstart(
    tracking: str = "mlflow",
    options: str = "",
    corpus: str = "installed-docs:numpy,networkx,flytekit",
    token_budget: int = 100_000,
    promote_refused: str = "",
    port: int = 3000,
) -> Registration:
    """Train a classifier of educational value on 450 documents, prove it, ship it, and filter a corpus with it.

    Args:
        tracking: mlflow, mlflow:URI of a server, neptune, wandb or none; on a cluster mlflow needs a server
        options: any option of `assay train --help`, as YAML or JSON, such as '{epochs: 5}'
        corpus: corpus to filter: a snapshot, files, or installed-docs[:PACKAGE,…]
        token_budget: number of tokens of the best documents
        promote_refused: reason to make a model that a gate refuses the champion; empty: it is not, and is shipped and
            used under its version
        port: port of this machine at which the model serves in the end, in the background; 0: it does not serve
    """
    started = now()
    free = look_at_port(port=port)
    registration = train_quality_classifier(
        source="data/sample/documents.jsonl",
        rubric="education",
        recipe="quickstart",
        options=options,
        tracking=tracking,
        promote_refused=promote_refused,
    )
    packaged = package_model(registry=registration.registry, version=registration.version)
    checked = check_serving(bento=packaged.bento)
    served = serve_here(registration=registration, port=free, checked=checked)
    selection = filter_corpus(
        source=corpus,
        model=registration.version,
        registry=registration.registry,
        token_budget=token_budget,
        options="rows_per_part: 500",
        workers=2,
    )
    return summarise_quickstart(
        registration=registration,
        packaged=packaged.stage,
        checked=checked,
        served=served,
        selection=selection,
        started=started,
    )
