"""The labelled path in one process, without Flyte: the same functions as the tasks. Distillation ends in it."""

from assay.pipeline.distil import DistilRequest, distil
from assay.pipeline.request import TrainingRequest
from assay.pipeline.run import train_and_evaluate

__all__ = ["DistilRequest", "TrainingRequest", "distil", "train_and_evaluate"]
