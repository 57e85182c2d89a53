"""The ledger of what scoring cost: an entry for each run, in numbered files beside the scores.

A run is one call of `score_parts`: a command, or a task of a map. A run that was killed leaves no entry, and what it
had done is in none.
"""

import datetime
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from assay.storage import NumberedLog, join, only_known_fields

FOLDER = "costs"


@only_known_fields
@dataclass(frozen=True)
class Cost:
    """What one run cost, and what it did."""

    number: int
    """Number of the entry, 1 for the first."""
    when: str
    """Time of its end, ISO 8601, UTC."""
    scores: str
    """Key of the scores."""
    model: str
    """Digest of the model's folder."""
    documents: int
    """Documents that the model scored in this run."""
    tokens: int
    """Their tokens, by the tokenizer of the scores."""
    seconds: float
    processor_seconds: float
    """Of all its processes, reading and writing included."""
    gpu_seconds: float
    """Time in which a GPU was held, whether it was busy or not."""


def cost_log(root: str) -> NumberedLog[Cost]:
    """Return the ledger below the root of the scores."""
    return NumberedLog(join(root, FOLDER), Cost, what="this entry of the costs", fix="Restore it, or remove it")


@dataclass
class Tally:
    """What a run has done so far."""

    documents: int = 0
    tokens: int = 0

    def add(self, documents: int, tokens: int) -> None:
        """Count documents that were scored, and their tokens."""
        self.documents += documents
        self.tokens += tokens


@contextmanager
def metered(root: str, scores: str, model: str) -> Iterator[Tally]:
    """Write an entry at the end of the block, unless nothing was scored in it."""
    tally, started, before = Tally(), time.monotonic(), _processor_seconds()

    def write() -> None:
        if not tally.documents:
            return
        seconds = time.monotonic() - started
        cost_log(root).append(
            lambda number: Cost(
                number,
                datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                scores,
                model,
                tally.documents,
                tally.tokens,
                round(seconds, 3),
                round(_processor_seconds() - before, 3),
                round(seconds, 3) if _holds_gpu() else 0.0,
            )
        )

    try:
        yield tally
    except BaseException:
        with suppress(Exception):  # the error of the run is the one to report
            write()
        raise
    write()


def _processor_seconds() -> float:
    """Return the time that processors spent on this process and on its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _holds_gpu() -> bool:
    torch = sys.modules.get("torch")  # a model without a network has not imported it
    return bool(torch and torch.cuda.is_available())
