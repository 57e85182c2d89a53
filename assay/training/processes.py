"""The processes of a training run that torchrun started, and what they exchange."""

import os

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous


class Processes:
    """This process and its group. Without torchrun, the group is this process alone."""

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.local = int(os.environ.get("LOCAL_RANK", "0"))
        self.device = torch.device(f"cuda:{self.local}" if torch.cuda.is_available() else "cpu")

    def __enter__(self) -> "Processes":
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # NCCL would open every process's context on the first GPU
        self.owns_group = self.count > 1 and not dist.is_initialized()
        if self.owns_group:
            # The agent passes one store to all attempts. Without a prefix for each attempt, a restarted group finds
            # the addresses of the dead one, and fails with "connection refused".
            store, rank, count = next(rendezvous("env://"))
            attempt = PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
            backend = "nccl" if self.device.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=attempt, rank=rank, world_size=count)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if self.owns_group:
            if kind is None:  # after an error the other processes may never reach the barrier
                dist.barrier()
            dist.destroy_process_group()

    def add_gradients(self, criterion: nn.Module) -> None:
        """Add the gradients of all processes, for the few weights that DistributedDataParallel does not hold."""
        for parameter in criterion.parameters():
            if self.count > 1 and parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.count  # the loss was multiplied by it, see `_backward`

    def sum(self, value: float) -> float:
        """Return the sum of a value over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)
