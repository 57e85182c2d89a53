"""The filtering pipeline: scoring, then selection."""

from kedro.pipeline import Pipeline, node

from assay_kedro.pipelines.filtering import nodes

GIVEN = ["params:filtering", "model", "params:scores"]


def filtering_pipeline() -> Pipeline:
    """Return the pipeline."""
    return Pipeline(
        [
            node(nodes.score_documents, GIVEN, "scored", name="score_documents"),
            node(nodes.select_documents, [*GIVEN, "scored"], "selection", name="select_documents"),
        ]
    )
