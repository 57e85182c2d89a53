"""Pipelines of the Kedro project, by name."""

from kedro.pipeline import Pipeline

from assay_kedro.pipelines.filtering import filtering_pipeline
from assay_kedro.pipelines.training import training_pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """Return name -> pipeline. `kedro run` without a name trains."""
    training = training_pipeline()
    return {"__default__": training, "training": training, "filtering": filtering_pipeline()}
