"""Share work out to processes of this machine. They end with the process that started them."""

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, TypeVar

from assay.errors import InputError

Share = TypeVar("Share")
Update = Callable[..., object]
PAUSE = 0.2
"""Seconds between two updates of the bar, if no share ends."""
CGROUP = Path("/sys/fs/cgroup")
QUIET = {"GOMP_SPINCOUNT": "3000"}
"""Threads of OpenMP that wait sleep after this many turns, instead of using a core that another process needs."""
_updates: "SimpleQueue[tuple[Any, ...]] | None" = None
"""Queue to the parent, in a process of the pool: arguments of its `update`."""


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Return the cores that this process may use, at least 1: those of its affinity, and the quota of its cgroup.

    A container is given a share of a node with many cores, which `os.cpu_count` does not show. A part of a core counts
    as a core.
    """
    cores = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def limit_threads() -> None:
    """Let torch use no more threads than this process has cores.

    torch counts the cores of the host. In a container with a share of them its threads would take turns on a few.
    """
    import torch

    if torch.get_num_threads() > (cores := usable_cores()):
        torch.set_num_threads(cores)


def _quota(cgroup: Path) -> float | None:
    """Return the cores that a cgroup may use on average, in version 2 or 1. None without a limit."""
    try:
        if (file := cgroup / "cpu.max").is_file():
            allowed, period = file.read_text(encoding="ascii").split()
        else:
            allowed, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip()
                for name in ("quota", "period")
            )
        return None if allowed in ("max", "-1") else int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def require_processes(count: int, where: str) -> None:
    """Raise InputError if `count` is below 1."""
    if count < 1:
        raise InputError(f"{count} processes", where=where, fix="Give 1 or more")


def in_processes(
    work: Callable[[Share, Update], int],
    shares: Sequence[Share],
    update: Update,
    *,
    processes: int,
    doing: str,
    where: str,
    devices: int = 0,
) -> int:
    """Call `work` with each share in one of several processes, and return the sum of its results.

    `work` and the shares must be picklable. What `work` passes to its second argument reaches `update` in this process.
    Each process has an equal part of the cores, unless OMP_NUM_THREADS is set. With `devices`, GPUs are dealt out: a
    process sees one of them. The first error ends all processes, and is raised here. Raise InputError if a process
    dies; `doing`: what it did, in the past tense.
    """
    import pebble

    context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    updates = context.SimpleQueue()
    threads = max(1, usable_cores() // processes)
    gpus = context.SimpleQueue()
    for number in range(processes if devices else 0):
        gpus.put(number % devices)
    pool = pebble.ProcessPool(processes, initializer=_prepare, initargs=(updates, threads, gpus), context=context)
    try:
        left: set[futures.Future[int]] = {pool.schedule(_call, args=(work, share)) for share in shares}
        done = 0
        while left:
            # FIRST_COMPLETED: the error of one worker ends the others at once.
            ended, left = futures.wait(left, timeout=PAUSE, return_when=futures.FIRST_COMPLETED)
            while not updates.empty():
                update(*updates.get())
            done += sum(future.result() for future in ended)
        return done
    except (pebble.ProcessExpired, BrokenProcessPool) as error:
        raise InputError(
            f"a process that {doing} died", where=where, fix="Run the same again; fewer processes need less memory"
        ) from error
    finally:
        pool.stop()
        pool.join()


def _prepare(updates: "SimpleQueue[tuple[Any, ...]]", threads: int, gpus: "SimpleQueue[int]") -> None:
    """Prepare a new process of the pool, before it imports a library that computes."""
    global _updates
    _updates = updates
    if not gpus.empty():
        _see_one(gpus.get())
    for name, value in {**QUIET, "OMP_NUM_THREADS": str(threads)}.items():
        os.environ.setdefault(name, value)
    # A worker of pebble notices that its parent was killed only between two tasks, and a share is one task.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # pebble's own handler ends the process at once, and leaves the file that is half written.
    signal.signal(signal.SIGTERM, _leave)


def _see_one(gpu: int) -> None:
    """Let this process see one of the GPUs that it would see."""
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    os.environ["CUDA_VISIBLE_DEVICES"] = seen[gpu] if gpu < len(seen) else str(gpu)


def _call(work: Callable[[Share, Update], int], share: Share) -> int:
    assert _updates is not None, "_prepare was not called"
    return work(share, _put)


def _put(*arguments: Any) -> None:
    assert _updates is not None
    _updates.put(arguments)


def _leave(_signal: int, _frame: object) -> None:
    """End on SIGTERM, by an exception: on its way out it removes the file that is half written."""
    raise SystemExit(1)


def _end_with_parent() -> None:
    """End this process as soon as its parent ends, even if that was killed.

    Otherwise it would run on, and the next run might write the same files at the same time.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
