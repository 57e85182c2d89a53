"""The log of a server: what it did and what failed, never a text."""

import logging
import traceback
from pathlib import Path

LOG = logging.getLogger("bentoml.assay")
"""Below BentoML's own logger, the one that its servers show."""


def log_error(what: str, error: BaseException) -> None:
    """One line: the error's type and where in the code it arose. Its message may repeat a text, and stays unsaid."""
    frames = traceback.extract_tb(error.__traceback__)
    trail = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    LOG.error("%s: %s at %s", what, type(error).__name__, trail)
