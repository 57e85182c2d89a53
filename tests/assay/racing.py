"""Processes that start at the same moment."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
# Each process would import these again, for seconds; so they are forked from one that has imported them.
CONTEXT.set_forkserver_preload(["assay.labels", "assay.promotion", "assay.registry", "hypothesis", "pytest", "s3fs"])


def run_at_once(function: Callable[..., object], *calls: tuple[Any, ...]) -> None:
    """Call `function(start, *arguments)` in a process for each tuple, and assert that none fails.

    The function calls `start.wait()` when it is ready to race.
    """
    start = CONTEXT.Barrier(len(calls))
    racers = [CONTEXT.Process(target=_run, args=(dict(os.environ), function, start, call)) for call in calls]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(240)
    assert [racer.exitcode for racer in racers] == [0] * len(calls)


def _run(environment: dict[str, str], function: Callable[..., object], start: Barrier, call: tuple[Any, ...]) -> None:
    os.environ.update(environment)  # a test may have changed it since the server of the forks started
    function(start, *call)
