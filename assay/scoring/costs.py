"""The ledger of what scoring cost: an entry for each run, in numbered files beside the scores.

A run is one call of `score_parts`: a command, or a task of a map. A run that was killed leaves no entry, and what it
had done is in none.
"""

import datetime
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from assay.progress import say
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
    """Time in which GPUs were held, whether they were busy or not."""
    processes: int = 1
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage, summed over processes. Stages overlap, so that their sum may exceed the run's seconds."""

    @property
    def busy(self) -> float | None:
        """Share of the run in which the model computed, over all processes; None in entries of earlier releases."""
        whole = self.seconds * self.processes
        return min(self.stages["model"] / whole, 1.0) if "model" in self.stages and whole > 0 else None

    def time_in_words(self) -> str:
        """Return where the time went, for people."""
        beside = {stage: spent for stage, spent in self.stages.items() if stage != "model" and spent >= 0.05}
        others = ", ".join(
            f"{stage} {spent:,.1f} s" for stage, spent in sorted(beside.items(), key=lambda item: -item[1])
        )
        shared = f" of each of {self.processes} processes" if self.processes > 1 else ""
        busy = f"the model computed for {self.busy or 0:.0%} of {self.seconds:,.1f} s{shared}"
        return f"{busy}; {others}" if others else busy


def cost_log(root: str) -> NumberedLog[Cost]:
    """Return the ledger below the root of the scores."""
    return NumberedLog(join(root, FOLDER), Cost, what="this entry of the costs", fix="Restore it, or remove it")


@dataclass
class Tally:
    """What a run has done so far."""

    documents: int = 0
    tokens: int = 0
    stages: dict[str, float] = field(default_factory=dict)

    def add(self, documents: int, tokens: int, seconds: Mapping[str, float]) -> None:
        """Count documents that were scored, their tokens, and the seconds of stages."""
        self.documents += documents
        self.tokens += tokens
        for stage, more in seconds.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + more


@contextmanager
def metered(root: str, scores: str, model: str, processes: int) -> Iterator[Tally]:
    """Write an entry at the end of the block, unless nothing was scored in it. `processes`: those that share it."""
    tally, started, before = Tally(), time.monotonic(), _processor_seconds()

    def write() -> None:
        if not tally.documents:
            return
        seconds = time.monotonic() - started
        entry = cost_log(root).append(
            lambda number: Cost(
                number,
                datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                scores,
                model,
                tally.documents,
                tally.tokens,
                round(seconds, 3),
                round(_processor_seconds() - before, 3),
                round(seconds * min(processes, _gpus()), 3),
                processes,
                {stage: round(spent, 3) for stage, spent in tally.stages.items()},
            )
        )
        if entry.stages:
            say(entry.time_in_words())

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


def _gpus() -> int:
    torch = sys.modules.get("torch")  # a model without a network has not imported it
    return int(torch.cuda.device_count()) if torch else 0
