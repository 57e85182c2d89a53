"""A server that was started for a process ends with it, even where that process was killed and could not end it."""

import os
import signal
import threading
import time

import psutil  # type: ignore[import-untyped]

from assay.serving.log import LOG

OWNER = "ASSAY_SERVED_FOR"
"""Environment variable: the process id; a server without it serves until it is told to end."""
LOOK_EVERY = 1.0
"""Seconds."""


def end_with_owner() -> None:
    """Watch the owner on a thread, where there is one; to be called in the process below `bentoml serve`."""
    if owner := os.environ.get(OWNER):
        threading.Thread(target=_watch, args=(int(owner), os.getppid()), name="owner", daemon=True).start()


def _watch(owner: int, server: int) -> None:
    while _lives(owner):
        time.sleep(LOOK_EVERY)
    LOG.warning("process %d, for which this server was started, is gone", owner)
    os.kill(server, signal.SIGTERM)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
