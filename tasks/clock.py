"""When a run began, so that its summary can tell what came from the cache. Never cached."""

import time

from flytekit import task

from tasks.resources import light


@task(**light())
def now() -> float:
    """Seconds since the epoch."""
    return time.time()
