"""The labelled path in one process, without Flyte: the same functions as the tasks, in the same order."""

from assay.pipeline.request import TrainingRequest
from assay.pipeline.run import train_and_evaluate

__all__ = ["TrainingRequest", "train_and_evaluate"]
