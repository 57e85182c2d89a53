"""The result of fitting one model."""

import time
from dataclasses import dataclass
from typing import Generic, TypeVar

from assay.model import LexicalModel, QualityModel

Record = dict[str, float]
"""Record of one update: step, epoch, loss, learning_rate, gradient_norm, tokens, padding, seconds, processor_seconds,
and joules if all machines count them. Units are in `Curve`."""
ModelT = TypeVar("ModelT", QualityModel, LexicalModel, covariant=True)


@dataclass(frozen=True)
class Fitted(Generic[ModelT]):
    """Result of a run."""

    model: ModelT
    history: list[Record]
    """Records of all updates, with those before the run was resumed."""
    resumed_at: int = 0
    """Update from which this process resumed the run. 0 if it started the run."""


def in_one_step(error: float, tokens: float, started: float, worked: float) -> Record:
    """Return the record of a fit in one step, from its mean error and tokens.

    `started` and `worked`: `time.monotonic()` and `time.process_time()` at its beginning.
    """
    return {
        "step": 0,
        "epoch": 1.0,
        "loss": error,
        "learning_rate": 0.0,
        "gradient_norm": 0.0,
        "tokens": tokens,
        "padding": 0.0,
        "seconds": time.monotonic() - started,
        "processor_seconds": time.process_time() - worked,
    }
