"""Start several training processes on one machine without Flyte. Flyte's Elastic does the same on a cluster."""

import os
import uuid
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def launch(processes: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a picklable function in each of `processes` workers under torchrun's agent, and return the result of rank 0.

    With one process, the function is called in this process, with all cores. If a worker dies, all workers are started
    again, at most twice, and resume from the last checkpoint.
    """
    if processes == 1:
        return function(*args, **kwargs)
    import torch
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    threads = max(1, torch.get_num_threads() // processes)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=2,
        monitor_interval=0.5,
        start_method="spawn",
    )
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # inherited by the workers; each would use all cores otherwise
    try:
        results = elastic_launch(config, _call)(function, args, kwargs)
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    return results[0]


def _call(function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
    """Call the function. The agent of torchrun passes positional arguments only."""
    return function(*args, **kwargs)
