"""Resources of tasks on a cluster: named profiles, chosen at registration by ASSAY_PROFILE (laptop, cpu or gpu).

Local runs use the number of training processes alone. A pod imports this module again: the choice is serialised as the
environment of each task, so that what was decided at registration holds in the pod.
"""

import os
from typing import Any

from flytekit import Resources
from flytekit.deck import DeckField
from flytekit.extras.accelerators import A100, H100, L4, L40S, T4

from assay.parallel import QUIET

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


def profile() -> str:
    """Return the profile. Raise ValueError for an unknown one."""
    return _choice("ASSAY_PROFILE", "cpu", ["laptop", "cpu", "gpu"])


def decided() -> dict[str, str]:
    """Return the variables that this module reads, with their values of now."""
    return {
        "ASSAY_PROFILE": profile(),
        "ASSAY_ACCELERATOR": _choice("ASSAY_ACCELERATOR", "A100", sorted(ACCELERATORS)),
        "ASSAY_GPUS": str(_number("ASSAY_GPUS", 1)),
        "ASSAY_NODES": str(_number("ASSAY_NODES", 1)),
    }


def _requesting(cpu: str, mem: str, laptop: tuple[str, str]) -> dict[str, Any]:
    size = Resources(cpu=cpu, mem=mem) if profile() != "laptop" else Resources(cpu=laptop[0], mem=laptop[1])
    return {
        "container_image": IMAGE,
        "requests": size,
        "limits": size,
        "environment": {**decided(), **QUIET},
        "deck_fields": DECK_FIELDS,
    }


def light() -> dict[str, Any]:
    """Return the profile of tasks that decide, or write a few files."""
    # `retries` counts deaths without an error, such as running out of memory; an exception ends a task at once.
    return {**_requesting("1", "2Gi", laptop=("500m", "1536Mi")), "retries": 2}


def heavy() -> dict[str, Any]:
    """Return the profile of tasks that have tables with their texts in memory."""
    return {**_requesting("4", "16Gi", laptop=("1", "3Gi")), "retries": 2, "interruptible": True}


def cleaner() -> dict[str, Any]:
    """Return the profile of extraction and filters: two processes, each with a batch of large documents in memory."""
    return {**_requesting("2", "8Gi", laptop=("1", "3Gi")), "retries": 2, "interruptible": True}


def _accelerated(cpu: str, mem: str, gpus: int, laptop: tuple[str, str]) -> dict[str, Any]:
    asked = _requesting(cpu, mem, laptop)
    if profile() != "gpu":
        return asked
    size = Resources(cpu="12", mem="64Gi", gpu=str(gpus))
    return {**asked, "requests": size, "limits": size, "accelerator": ACCELERATORS[decided()["ASSAY_ACCELERATOR"]]}


def encoder() -> dict[str, Any]:
    """Return the profile of tasks that run the encoder without training it; on GPUs one of ASSAY_ACCELERATOR."""
    return {**_accelerated("4", "8Gi", 1, laptop=("1", "3Gi")), "retries": 2, "interruptible": True}


def trainer() -> dict[str, Any]:
    """Return the profile of training: on GPUs, ASSAY_GPUS of ASSAY_ACCELERATOR on each of ASSAY_NODES nodes.

    It is interruptible: after the loss of a spot node, a retry resumes from the checkpoint in Flyte's store.
    """
    return _training(_number("ASSAY_GPUS", 1))


def solo_trainer() -> dict[str, Any]:
    """Return the profile of a training in one process, which can use one GPU."""
    return _training(1)


def _training(gpus: int) -> dict[str, Any]:
    asked = _accelerated("4", "16Gi", gpus, laptop=("2", "4Gi"))
    return {**asked, "retries": 3, "interruptible": True, "shared_memory": True}
