"""Mirror versions of the registry in the model registry of MLflow, for people and tools that read that one.

Assay's registry decides; nothing is read back from the mirror. A version becomes a version of one registered model of
MLflow: its files as the artefacts of a run, its figures as the metrics of that run, its digest and lineage as tags.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError, without_secrets
from assay.registry import CHAMPION, PREVIOUS, Registry, Version

EXPERIMENT = "assay"
"""Experiment of the runs, which is that of the tracker."""
DIGEST = "assay.digest"
"""Tag of a version in MLflow by which a version is recognised."""


@dataclass(frozen=True)
class Mirrored:
    """A version in MLflow, and what was changed there."""

    number: str
    """Number of the version in MLflow."""
    changes: tuple[str, ...]
    """What was done, for people. Empty if nothing had to change."""


def mirror_version(registry: str, version: str, uri: str, name: str) -> Mirrored:
    """Register a version as one of the registered model `name` of MLflow, with the aliases that name it here.

    `version`: name or alias. `uri`: server or database of MLflow. A version with the same digest is not copied again,
    and an alias that no longer names it is taken from it, so that the same call again changes nothing. Raise InputError
    if the version is unknown or not what was registered, or if MLflow cannot be used.
    """
    shelf = Registry(registry)
    known = shelf.get(version)
    with _clear_errors(uri):
        # Its client repeats a request for minutes by default. A user's own value stays.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        changes = []
        found = _found(client, name, known.digest)
        if found is None:
            with shelf.open(known.name) as folder:
                _copy(client, known, folder, uri, name)
            found = _found(client, name, known.digest)
            assert found is not None
            changes.append(f"{known.name} was registered")
        aliases = client.get_model_version(name, found).aliases
        for alias in (CHAMPION, PREVIOUS):
            move = shelf.alias(alias)
            if move and move.version == known.name and alias not in aliases:
                client.set_registered_model_alias(name, alias, found)
                changes.append(f"{alias} was set")
            elif alias in aliases and not (move and move.version == known.name):
                client.delete_registered_model_alias(name, alias)
                changes.append(f"{alias} was removed, because it names another version")
    return Mirrored(found, tuple(changes))


def _found(client: Any, name: str, digest: str) -> str | None:
    """Return the number of the first version with this digest, or None."""
    quoted = name.replace("'", "''")
    same = client.search_model_versions(f"name = '{quoted}' and tags.`{DIGEST}` = '{digest}'")
    # Some stores give the number as an integer.
    return min((str(each.version) for each in same), key=int, default=None)


def _copy(client: Any, version: Version, folder: Path, uri: str, name: str) -> None:
    """Copy the files and figures into a run, and register them. The version appears last, with all its tags."""
    from mlflow.entities import Metric, RunTag
    from mlflow.exceptions import MlflowException

    lineage = {f"assay.{key}": str(value) for key, value in (version.record.get("lineage") or {}).items()}
    facts = {"assay.version": version.name, DIGEST: version.digest, "assay.created": version.created, **lineage}
    tags = {key: without_secrets(value)[:5000] for key, value in facts.items()}
    run = client.create_run(_experiment(client, uri), run_name=f"registry {version.name}").info.run_id
    figures = {key: float(value) for key, value in (version.record.get("metrics") or {}).items()}
    metrics = [Metric(key, value, 0, 0) for key, value in figures.items() if math.isfinite(value)]
    client.log_batch(run, metrics=metrics, tags=[RunTag(key, value) for key, value in tags.items()])
    client.log_artifacts(run, str(folder), "model")
    client.set_terminated(run)
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    source = f"{client.get_run(run).info.artifact_uri}/model"
    client.create_model_version(name, source, run_id=run, tags=tags)


def _experiment(client: Any, uri: str) -> str:
    """Return the id of the experiment, which is made if it is missing."""
    if found := client.get_experiment_by_name(EXPERIMENT):
        return str(found.experiment_id)
    # Beside its database, as the tracker does. By default MLflow would write into the current folder.
    database = uri.removeprefix("sqlite:///")
    beside = (Path(database).absolute().parent / "mlartifacts").as_uri() if database != uri else None
    return str(client.create_experiment(EXPERIMENT, beside))


@contextlib.contextmanager
def _clear_errors(uri: str) -> Iterator[None]:
    """Turn an error of MLflow into an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(
            f"MLflow cannot be used: {why}", where=uri, fix="Check the URI, and run the same command again"
        ) from error
