"""One line for each stage of a run: its time, its documents, and whether it came from the cache."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from assay.progress import stage


@dataclass
class Stage:
    """One line of the summary. It goes to the summary alone, so that a time never touches a cache key."""

    name: str
    started: float = 0.0
    """Seconds since the epoch; before the run's own beginning where the stage came from the cache."""
    seconds: float = 0.0
    documents: int = 0
    remark: str = ""


@contextmanager
def recorded(name: str) -> Iterator[Stage]:
    """Announce a stage, and measure it; the body fills in `documents` and `remark`."""
    line = Stage(name, started=time.time())
    with stage(name):
        yield line
    line.seconds = time.time() - line.started


def stage_table(stages: list[Stage], started: float) -> pd.DataFrame:
    """One row a stage, and whether it ran in this run or came from the cache."""
    return pd.DataFrame(
        {
            "stage": [stage.name for stage in stages],
            "documents": [f"{stage.documents:,}" for stage in stages],
            "time": ["from cache" if stage.started < started else f"{stage.seconds:.1f} s" for stage in stages],
            "remark": [stage.remark for stage in stages],
        }
    )


def together(name: str, stages: list[Stage], there: Stage) -> Stage:
    """One line for all tasks of a map, and for what was there before it; nothing left to do is a hit in the store."""
    started = there.started if stages else 0.0
    return Stage(
        name,
        started,
        sum(stage.seconds for stage in stages),
        there.documents + sum(stage.documents for stage in stages),
        there.remark,
    )
