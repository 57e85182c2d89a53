"""From a raw corpus and a model to the best documents."""

from assay_kedro.pipelines.filtering.pipeline import filtering_pipeline

__all__ = ["filtering_pipeline"]
