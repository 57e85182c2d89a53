"""The client of a service: documents in, answers in order, wherever the service runs."""

from assay.client.client import AsyncClient, Client
from assay.client.policy import Batching, CallError, Retries
from assay.client.transports import SageMaker, Vertex

__all__ = ["AsyncClient", "Batching", "CallError", "Client", "Retries", "SageMaker", "Vertex"]
