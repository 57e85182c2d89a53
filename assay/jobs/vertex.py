"""Start a custom job of Vertex AI that trains, follow it, and fetch its model."""

import json
import time
from pathlib import Path
from typing import Any

from assay.cloud import Google, GoogleSettings, require_google_image
from assay.errors import InputError
from assay.jobs.job import JobSettings, hyperparameters, job_digest, require_remote
from assay.jobs.train import OPTIONS
from assay.pipeline import TrainingRequest
from assay.progress import say
from assay.storage import download_folder

DONE = "JOB_STATE_SUCCEEDED"
FAILED = ("JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED")


def train_at_vertex(
    request: TrainingRequest, settings: JobSettings, google: GoogleSettings, output: Path | None
) -> str:
    """Start a custom job and follow it. Return the URL of its model folder.

    `output`: new folder of this machine for the model; None leaves it in Cloud Storage. Without `settings.wait`, return
    the name of the job at once. Raise InputError for bad input, before anything is started, and with its reason if the
    job fails.
    """
    require_remote(request.source, "gs://")
    if output is not None and output.exists():
        raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    require_google_image(settings.image)
    if not settings.output.startswith("gs://"):
        raise InputError(f"{settings.output!r} is no folder of Cloud Storage", where="--place", fix="Give gs://…")
    cloud = Google(google)
    base = f"{settings.output.rstrip('/')}/{job_digest(request, settings)}-{int(time.time())}"
    body = custom_job(request, settings, base)
    # Never repeated blindly: the API takes no name, and a second request would be a second job.
    made = cloud.call("the job cannot be started", "POST", f"{cloud.parent}/customJobs", body, again=False)
    name = str(made["name"])
    say(f"{name} is started")
    if not settings.wait:
        return name
    shown, place = "", f"{base}/model"
    while True:
        now = cloud.call(f"job {name} cannot be read", "GET", name)
        if now["state"] != shown:
            shown = now["state"]
            say(f"{name}: {shown}")
        if shown == DONE:
            break
        if shown in FAILED:
            why = now.get("error", {}).get("message") or shown
            raise InputError(f"the job failed: {why}", where=name, fix="Its log is in Cloud Logging")
        time.sleep(settings.poll)
    if output is not None:
        download_folder(place, output)
    return place


def custom_job(request: TrainingRequest, settings: JobSettings, base: str) -> dict[str, Any]:
    """Return the body of customJobs.create."""
    options = {"source": request.source, **hyperparameters(request)}
    pool = {
        "machineSpec": _machine(settings.instance),
        "replicaCount": "1",
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": max(100, settings.volume)},
        "containerSpec": {
            "imageUri": settings.image,
            "command": ["train"],
            "env": [{"name": OPTIONS, "value": json.dumps(options)}],
        },
    }
    return {
        "displayName": f"assay-{job_digest(request, settings)}",
        "jobSpec": {
            "workerPoolSpecs": [pool],
            "baseOutputDirectory": {"outputUriPrefix": base},
            "scheduling": {"timeout": f"{round(settings.within)}s"},
            **({"serviceAccount": settings.role} if settings.role else {}),
        },
    }


def _machine(instance: str) -> dict[str, Any]:
    """Return a machine type with its accelerators: `n1-standard-8`, or `n1-standard-8+1xNVIDIA_TESLA_T4`."""
    machine, _, accelerator = instance.partition("+")
    if not accelerator:
        return {"machineType": machine}
    count, _, kind = accelerator.partition("x")
    if not count.isdecimal() or not kind:
        raise InputError(
            f"{instance!r} names no accelerator", where="--instance", fix="Give one such as g2-standard-8+1xNVIDIA_L4"
        )
    return {"machineType": machine, "acceleratorType": kind, "acceleratorCount": int(count)}
