"""End a server with the process that started it, even if that process was killed and could not end the server."""

import os
import resource
import signal
import threading
import time

import psutil  # type: ignore[import-untyped]

from assay.serving.log import LOG

OWNER = "ASSAY_SERVED_FOR"
"""Environment variable with the process id of the owner. Without it a server runs until SIGTERM."""
CHECK_EVERY = 1.0
"""Seconds between two checks."""


def owned() -> bool:
    """Return True if this server was started by `assay serve`, `assay deploy` or a check."""
    return bool(os.environ.get(OWNER))


def raise_open_files() -> None:
    """Raise the limit of open files to the most that the system allows: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def end_with_owner() -> None:
    """Watch the owner on a thread, if there is one. Call it in the worker process of `bentoml serve`."""
    if owner := os.environ.get(OWNER):
        threading.Thread(target=_watch, args=(int(owner), os.getppid()), name="owner", daemon=True).start()


# A thread that polls: Linux can signal the death of a parent only to its direct children, and the worker is no child
# of the owner.
def _watch(owner: int, server: int) -> None:
    while _lives(owner):
        time.sleep(CHECK_EVERY)
    LOG.warning("the owner of this server, process %d, has ended", owner)
    os.kill(server, signal.SIGTERM)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
