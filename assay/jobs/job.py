"""What a training job of any cloud is asked for, and how a request travels to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.options import plain_options
from assay.pipeline import TrainingRequest
from assay.storage import digest_json

LONGEST = 2_500
"""Characters of the longest hyperparameter (CreateTrainingJob, HyperParameters)."""


@dataclass(frozen=True)
class JobSettings:
    """Where a job runs, beside what it computes."""

    role: str
    image: str
    output: str
    """Folder of the object store for the model."""
    instance: str
    within: float = 86_400.0
    """Seconds after which the cloud stops the job."""
    volume: int = 50
    """GiB of the disk."""
    spot: bool = False
    """SageMaker: spare capacity, which may be taken away; the job goes on from its checkpoint."""
    checkpoints: str = ""
    """Folder of the object store for checkpoints (default: `checkpoints` below the output)."""
    poll: float = 15.0
    wait: bool = True


def hyperparameters(request: TrainingRequest) -> dict[str, str]:
    """Return a request as texts by name, without its source. Only what differs from the defaults is in it.

    Raise InputError if a value names a file of this machine, which the job would not find, or is too long.
    """
    given = {name: value for name, value in plain_options(request, defaults=False).items() if name != "source"}
    texts = {name: _text(value) for name, value in given.items()}
    for name, text in texts.items():
        for part in text.split(","):
            place = part.rpartition("=")[2]
            if "/" in place and "://" not in place and Path(place).exists():
                raise InputError(
                    f"{name} names a file of this machine, which the job does not see",
                    where=place,
                    fix="Put it into the object store or the image, and name it there",
                )
        if len(text) > LONGEST:
            raise InputError(f"{name} has {len(text)} characters", fix=f"Give at most {LONGEST}")
    return texts


def job_digest(request: TrainingRequest, settings: JobSettings) -> str:
    """Return 12 hex digits that say which job this is: its data, its options, its image and machine."""
    return digest_json([request.source, hyperparameters(request), settings.image, settings.instance])[:12]


def require_remote(source: str, scheme: str) -> None:
    """Raise InputError if labels are not where a job of this cloud reads them."""
    if not source.startswith((scheme, "hf://")):
        raise InputError(
            f"{source} is not in reach of the job", where="--data", fix=f"Copy it to {scheme}BUCKET/…, and name that"
        )


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ",".join(str(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)
