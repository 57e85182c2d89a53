"""What a task may ask of the cluster: named profiles, chosen at registration by ASSAY_PROFILE (cpu or gpu).

Local runs ignore all of it but the number of training processes.
"""

import os
from typing import Any

from flytekit import Resources
from flytekit.deck import DeckField
from flytekit.extras.accelerators import A100, H100, L4, L40S, T4
from flytekitplugins.kfpytorch import Elastic

IMAGE = "{{.image.assay.fqn}}:{{.image.assay.version}}"
"""Resolved at registration from `images: assay:` of flyte.config.yaml, or from `--image assay=…`."""

DECK_FIELDS = (DeckField.SOURCE_CODE, DeckField.TIMELINE, DeckField.INPUT, DeckField.OUTPUT)
"""All but the packages, for which flytekit runs pip twice in each task with a Deck: a second, and the lock tells."""

ACCELERATORS = {"A100": A100, "H100": H100, "L4": L4, "L40S": L40S, "T4": T4}


def _choice(variable: str, default: str, allowed: list[str]) -> str:
    value = os.environ.get(variable, default)
    if value not in allowed:
        raise ValueError(f"{variable} is {value!r}. Set it to one of: {', '.join(allowed)}")
    return value


def _number(variable: str, default: int) -> int:
    value = os.environ.get(variable, str(default))
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"{variable} is {value!r}. Set it to a whole number from 1 on")
    return int(value)


def on_gpu() -> bool:
    """Whether training and encoding ask for GPUs."""
    return _choice("ASSAY_PROFILE", "cpu", ["cpu", "gpu"]) == "gpu"


def _asking(cpu: str, mem: str) -> dict[str, Any]:
    return {
        "container_image": IMAGE,
        "requests": Resources(cpu=cpu, mem=mem),
        "limits": Resources(cpu=cpu, mem=mem),
        "deck_fields": DECK_FIELDS,
    }


def light() -> dict[str, Any]:
    """Looking, deciding, writing a few files."""
    return {**_asking("1", "2Gi"), "retries": 2}


def heavy() -> dict[str, Any]:
    """Tables with their texts in memory."""
    return {**_asking("4", "16Gi"), "retries": 2, "interruptible": True}


def cleaner() -> dict[str, Any]:
    """Extraction and filters: two processes, and what a batch of large documents takes in each."""
    return {**_asking("2", "8Gi"), "retries": 2, "interruptible": True}


def _accelerated(cpu: str, mem: str, gpus: int) -> dict[str, Any]:
    if not on_gpu():
        return _asking(cpu, mem)
    accelerator = ACCELERATORS[_choice("ASSAY_ACCELERATOR", "A100", sorted(ACCELERATORS))]
    ask = Resources(cpu="12", mem="64Gi", gpu=str(gpus))
    return {**_asking(cpu, mem), "requests": ask, "limits": ask, "accelerator": accelerator}


def encoder() -> dict[str, Any]:
    """Running the encoder without training it."""
    return {**_accelerated("4", "8Gi", 1), "retries": 2, "interruptible": True}


def trainer() -> dict[str, Any]:
    """Training: on GPUs ASSAY_GPUS of ASSAY_ACCELERATOR on each of ASSAY_NODES nodes, with shared memory.

    Interruptible: a lost spot node is retried, and goes on from the checkpoint in Flyte's store.
    """
    gpus = _number("ASSAY_GPUS", 1)
    return {**_accelerated("4", "16Gi", gpus), "retries": 3, "interruptible": True, "shared_memory": True}


def elastic() -> Elastic:
    """Training processes: two on a CPU machine, one a GPU else; several nodes make it a PyTorchJob."""
    nodes = _number("ASSAY_NODES", 1) if on_gpu() else 1
    return Elastic(
        nnodes=nodes,
        nproc_per_node=_number("ASSAY_GPUS", 1) if on_gpu() else 2,
        max_restarts=2,
        monitor_interval=1,
        # The default read timeout of 60 seconds is too short where one node of several starts late.
        rdzv_configs={"timeout": 900, "join_timeout": 900, "read_timeout": 900},
        increase_shared_mem=False,  # deprecated; @task(shared_memory=True) is what asks for it
    )
