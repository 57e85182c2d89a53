"""From labelled documents to a trained, calibrated, evaluated and registered classifier."""

from assay_kedro.pipelines.training.pipeline import training_pipeline

__all__ = ["training_pipeline"]
