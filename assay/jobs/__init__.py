"""Training and release as jobs of a cloud: what runs in the container, how a job is started, and a pipeline of them."""

from assay.jobs.definition import PipelineSettings, pipeline_definition
from assay.jobs.job import JobSettings
from assay.jobs.sagemaker import train_at_sagemaker
from assay.jobs.vertex import train_at_vertex

__all__ = [
    "JobSettings",
    "PipelineSettings",
    "pipeline_definition",
    "train_at_sagemaker",
    "train_at_vertex",
]
