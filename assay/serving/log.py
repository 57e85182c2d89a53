"""The log of a server: requests and failures, never a text."""

import logging
import traceback
from pathlib import Path

LOG = logging.getLogger("bentoml.assay")
"""A child of BentoML's own logger: a server of BentoML shows no other."""


def log_error(what: str, error: BaseException) -> None:
    """Log one line: the type of the error and its place in the code. Its message may repeat a text and is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    trail = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    LOG.error("%s: %s at %s", what, type(error).__name__, trail)
