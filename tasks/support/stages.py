"""One line of the summary for each stage of a run: its time, its documents, and if it came from the cache."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from assay.progress import stage


@dataclass
class Stage:
    """One line of the summary. Only summaries take it as an input, so that no time gets into a cache key."""

    name: str
    started: float = 0.0
    """Seconds since the epoch. It is before the start of the run if the stage came from the cache."""
    seconds: float = 0.0
    documents: int = 0
    remark: str = ""


@contextmanager
def recorded(name: str) -> Iterator[Stage]:
    """Print the name of a stage and measure its time; the body sets `documents` and `remark`."""
    line = Stage(name, started=time.time())
    with stage(name):
        yield line
    line.seconds = time.time() - line.started


def stage_table(stages: list[Stage], started: float) -> pd.DataFrame:
    """Return one row for each stage, with its time, or `from cache` if it started before the run did."""
    return pd.DataFrame(
        {
            "stage": [stage.name for stage in stages],
            "documents": [f"{stage.documents:,}" for stage in stages],
            "time": ["from cache" if stage.started < started else f"{stage.seconds:.1f} s" for stage in stages],
            "remark": [stage.remark for stage in stages],
        }
    )


def together(name: str, stages: list[Stage], there: Stage) -> Stage:
    """Return one line for all tasks of a map and for the results that existed before it.

    Without tasks, all results existed: the line counts as one from the cache.
    """
    started = there.started if stages else 0.0
    return Stage(
        name,
        started,
        sum(stage.seconds for stage in stages),
        there.documents + sum(stage.documents for stage in stages),
        there.remark,
    )
