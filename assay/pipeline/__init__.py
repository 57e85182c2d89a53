"""The labelled path in one process, without Flyte: the same functions as the tasks, in the same order."""

from assay.pipeline.request import Labels, TrainingRequest
from assay.pipeline.run import train_and_evaluate

__all__ = ["Labels", "TrainingRequest", "train_and_evaluate"]
