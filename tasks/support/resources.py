"""Resources of tasks on a cluster: named profiles, chosen at registration by ASSAY_PROFILE (cpu or gpu).

Local runs use the number of training processes alone.
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
"""Fields of a Deck, without the packages: flytekit runs pip twice for them, a second in each task."""

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
    """Return True if training and encoding run on GPUs. Raise ValueError for an unknown profile."""
    return _choice("ASSAY_PROFILE", "cpu", ["cpu", "gpu"]) == "gpu"


def _requesting(cpu: str, mem: str) -> dict[str, Any]:
    return {
        "container_image": IMAGE,
        "requests": Resources(cpu=cpu, mem=mem),
        "limits": Resources(cpu=cpu, mem=mem),
        "deck_fields": DECK_FIELDS,
    }


def light() -> dict[str, Any]:
    """Return the profile of tasks that decide, or write a few files."""
    # `retries` counts deaths without an error, such as running out of memory; an exception ends a task at once.
    return {**_requesting("1", "2Gi"), "retries": 2}


def heavy() -> dict[str, Any]:
    """Return the profile of tasks that have tables with their texts in memory."""
    return {**_requesting("4", "16Gi"), "retries": 2, "interruptible": True}


def cleaner() -> dict[str, Any]:
    """Return the profile of extraction and filters: two processes, each with a batch of large documents in memory."""
    return {**_requesting("2", "8Gi"), "retries": 2, "interruptible": True}


def _accelerated(cpu: str, mem: str, gpus: int) -> dict[str, Any]:
    if not on_gpu():
        return _requesting(cpu, mem)
    accelerator = ACCELERATORS[_choice("ASSAY_ACCELERATOR", "A100", sorted(ACCELERATORS))]
    size = Resources(cpu="12", mem="64Gi", gpu=str(gpus))
    return {**_requesting(cpu, mem), "requests": size, "limits": size, "accelerator": accelerator}


def encoder() -> dict[str, Any]:
    """Return the profile of tasks that run the encoder without training it; on GPUs one of ASSAY_ACCELERATOR."""
    return {**_accelerated("4", "8Gi", 1), "retries": 2, "interruptible": True}


def trainer() -> dict[str, Any]:
    """Return the profile of training: on GPUs, ASSAY_GPUS of ASSAY_ACCELERATOR on each of ASSAY_NODES nodes.

    It is interruptible: after the loss of a spot node, a retry resumes from the checkpoint in Flyte's store.
    """
    gpus = _number("ASSAY_GPUS", 1)
    return {**_accelerated("4", "16Gi", gpus), "retries": 3, "interruptible": True, "shared_memory": True}


def elastic() -> Elastic:
    """Return the training processes: two on CPUs, otherwise one for each GPU. Several nodes become a PyTorchJob."""
    nodes = _number("ASSAY_NODES", 1) if on_gpu() else 1
    return Elastic(
        nnodes=nodes,
        nproc_per_node=_number("ASSAY_GPUS", 1) if on_gpu() else 2,
        max_restarts=2,
        monitor_interval=1,
        # The default read timeout of 60 seconds is too short if one node of several starts late.
        rdzv_configs={"timeout": 900, "join_timeout": 900, "read_timeout": 900},
        increase_shared_mem=False,  # deprecated: @task(shared_memory=True) replaces it
    )
