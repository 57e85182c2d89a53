"""Experiment tracking behind one small interface: MLflow, Neptune, W&B, or nothing, by one setting.

A tracker never breaks or blocks the work that it tracks. Every call has a timeout; the first failure is reported once,
and no call is made after it. Only rank 0 of a distributed run tracks; the other ranks get a tracker that does nothing.
"""

import contextlib
import importlib.util
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.progress import say

PATIENCE = 60.0
"""Timeout of one call, in seconds."""
LONGEST = 500
"""Characters of a parameter's value that every tracker accepts; longer values are cut."""


class Tracker:
    """One run. This class itself tracks nothing; the setting `none` and all ranks but the first get it."""

    run_id: str = ""
    """Id with which `open_tracker` resumes the run. Empty if nothing is tracked."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings. Nested ones get names with dots."""

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record figures of one step of a curve, or of the whole run. Figures that are not finite are left out."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Record the lineage: digests, versions, places."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Store a file with the run."""

    def close(self, *, failed: bool = False) -> None:
        """End the run. It may be resumed later by its id."""

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self.close(failed=kind is not None)


def open_tracker(setting: str, *, run_name: str, work: Path, run_id: str = "") -> Tracker:
    """Start a run of the tracker that `setting` names, or resume the run `run_id`.

    `mlflow`: SQLite and artefacts below `work`. `mlflow:URI`: a server. `neptune`: Neptune's offline format below
    `work`, or its server if NEPTUNE_API_TOKEN is set. `neptune:WORKSPACE/PROJECT`: the same for a project. `wandb`:
    W&B's offline format below `work`, or its server if WANDB_MODE is online. `wandb:[ENTITY/]PROJECT`: the same for a
    project. `none`: nothing is tracked. Raise InputError for any other setting, and if the tracker's package is
    missing. If the tracker cannot be reached, report it and track nothing.
    """
    kind, _, place = setting.partition(":")
    opens: dict[str, Callable[[], Tracker]] = {
        "mlflow": lambda: _MLflow(place or f"sqlite:///{work}/mlflow.db", work, run_name, run_id),
        "neptune": lambda: _Neptune(place, work, run_name, run_id),
        "wandb": lambda: _WandB(place, work, run_name, run_id),
        "none": Tracker,
    }
    if kind not in opens:
        known = "mlflow, mlflow:URI, neptune, neptune:PROJECT, wandb, wandb:PROJECT or none"
        raise InputError(f"no tracker {setting!r}", fix=f"Choose {known}")
    if kind != "none" and importlib.util.find_spec(kind) is None:
        raise InputError(
            f"the package {kind} is not installed",
            where=f"tracking {setting}",
            fix=f"Install it (pip install {kind}), or choose another tracker",
        )
    if os.environ.get("RANK", "0") != "0":
        return Tracker()
    work.mkdir(parents=True, exist_ok=True)
    try:
        tracker: Tracker = _bounded(opens[kind])
    except Exception as error:
        say(f"{kind} cannot be used, nothing is tracked: {_first_line(error)}")
        return Tracker()
    return tracker


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _bounded(call: Callable[[], Any], seconds: float | None = None) -> Any:
    """Return the result of a call. Raise TimeoutError after `seconds`.

    A thread cannot be stopped, so one that hangs is left behind. It is a daemon, so that the process can still end.
    """
    limit = PATIENCE if seconds is None else seconds
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:  # carried to the caller's thread
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {limit:.0f} seconds")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}.")
        else:
            text = str(value)
            flat[f"{before}{key}"] = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return flat


class _Guarded(Tracker):
    """A tracker whose calls have a timeout. After the first failure no call is made."""

    kind = "tracker"

    def __init__(self) -> None:
        self.lost = False

    def _try(self, call: Callable[[], Any]) -> None:
        if self.lost:
            return
        try:
            _bounded(call)
        except Exception as error:
            self.lost = True
            say(f"{self.kind} does not answer, tracking ends here: {_first_line(error)}")


class _MLflow(_Guarded):
    kind = "mlflow"

    def __init__(self, uri: str, work: Path, run_name: str, run_id: str) -> None:
        super().__init__()
        # MLflow's HTTP client retries for minutes by default. It reads these variables at each call; a user's own
        # values stay.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient
        from mlflow.entities import RunStatus

        _hush("mlflow", "mlflow.store.db.utils", "alembic")
        self.client = MlflowClient(tracking_uri=uri)
        self.status = RunStatus
        if run_id:
            with contextlib.suppress(Exception):
                # If the run was deleted or is in another store, a new one is started below.
                self.client.update_run(run_id, "RUNNING")
                self.run_id = run_id
        if not self.run_id:
            artifacts = (work / "mlartifacts").as_uri() if uri.startswith("sqlite") else None
            self.run_id = self.client.create_run(self._experiment(artifacts), run_name=run_name).info.run_id

    def _experiment(self, artifacts: str | None) -> str:
        found = self.client.get_experiment_by_name("assay")
        return str(found.experiment_id if found else self.client.create_experiment("assay", artifacts))

    def params(self, values: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        flat = [Param(key, value) for key, value in _flat(values).items()]
        self._try(lambda: self.client.log_batch(self.run_id, params=flat))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = [Metric(key, float(value), now, step or 0) for key, value in values.items() if math.isfinite(value)]
        self._try(lambda: self.client.log_batch(self.run_id, metrics=finite))

    def tags(self, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            self._try(lambda key=key, value=value: self.client.set_tag(self.run_id, key, value))  # type: ignore[misc]

    def artifact(self, path: Path, folder: str = "") -> None:
        self._try(lambda: self.client.log_artifact(self.run_id, str(path), folder or None))

    def close(self, *, failed: bool = False) -> None:
        state = self.status.to_string(self.status.FAILED if failed else self.status.FINISHED)
        self._try(lambda: self.client.set_terminated(self.run_id, state))


class _Neptune(_Guarded):
    kind = "neptune"

    def __init__(self, project: str, work: Path, run_name: str, run_id: str) -> None:
        super().__init__()
        offline = not os.environ.get("NEPTUNE_API_TOKEN")
        import neptune

        _hush("neptune")
        with _inside(work):
            self.run = neptune.init_run(
                project=project or os.environ.get("NEPTUNE_PROJECT") or ("offline/assay" if offline else None),
                mode="offline" if offline else "async",
                name=run_name,
                custom_run_id=run_id or None,
                capture_stdout=False,
                capture_stderr=False,
                capture_hardware_metrics=False,
                source_files=[],
                git_ref=False,
            )
            self.run_id = run_id or str(self.run._id)

    def params(self, values: Mapping[str, Any]) -> None:
        self._try(lambda: self.run.__setitem__("parameters", _flat(values)))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        def log() -> None:
            for key, value in values.items():
                if math.isfinite(value):
                    self.run[f"metrics/{key}"].append(float(value), step=step)

        self._try(log)

    def tags(self, values: Mapping[str, str]) -> None:
        self._try(lambda: self.run.__setitem__("lineage", dict(values)))

    def artifact(self, path: Path, folder: str = "") -> None:
        self._try(lambda: self.run[f"artifacts/{folder or 'files'}/{path.name}"].upload(str(path), wait=False))

    def close(self, *, failed: bool = False) -> None:
        self._try(lambda: self.run.__setitem__("sys/failed", failed))
        self._try(lambda: self.run.stop(seconds=PATIENCE / 2))


class _WandB(_Guarded):
    kind = "wandb"

    def __init__(self, project: str, work: Path, run_name: str, run_id: str) -> None:
        super().__init__()
        # Reports about errors of wandb itself would go to its makers, also offline. A user's own value stays.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        _hush("wandb")
        entity, _, name = project.rpartition("/")
        mode: Any = os.environ.get("WANDB_MODE", "offline")  # wandb refuses an unknown one
        self.run = wandb.init(
            entity=entity or None,
            project=name or os.environ.get("WANDB_PROJECT") or "assay",
            name=run_name,
            id=run_id or None,
            resume="allow" if run_id else None,
            dir=work,
            mode=mode,
            reinit="create_new",  # a run that the caller has open stays open
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                init_timeout=PATIENCE / 2,
                # With a limit, wandb 0.31 ends an offline run before its file is written.
                finish_timeout=0 if mode == "offline" else PATIENCE / 2,
            ),
        )
        self.run_id = str(self.run.id)
        # W&B's own step may not go back, and a resumed training repeats some updates.
        self.run.define_metric("*", step_metric="step")

    def params(self, values: Mapping[str, Any]) -> None:
        self._try(lambda: self.run.config.update(_flat(values), allow_val_change=True))

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        finite = {key: float(value) for key, value in values.items() if math.isfinite(value)}
        if step is None:
            self._try(lambda: self.run.summary.update(finite))
        else:
            self._try(lambda: self.run.log({**finite, "step": step}))

    def tags(self, values: Mapping[str, str]) -> None:
        # Tags of W&B are words without a value.
        self._try(lambda: self.run.config.update({"lineage": dict(values)}, allow_val_change=True))

    def artifact(self, path: Path, folder: str = "") -> None:
        def keep() -> None:
            # `save` alone would link to the file, which may be gone when an offline run is sent.
            kept = Path(self.run.dir) / (folder or "files") / path.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept)
            self.run.save(str(kept), base_path=self.run.dir, policy="now")

        self._try(keep)

    def close(self, *, failed: bool = False) -> None:
        self._try(lambda: self.run.finish(exit_code=int(failed)))


def _hush(*loggers: str) -> None:
    """Silence loggers up to warnings: migrations of a new database, links to an app. Errors are raised as exceptions.

    Call it after the import of the library, which sets its own levels.
    """
    for name in loggers:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Make a folder the current one for a block: Neptune writes its offline runs below the current folder only."""
    with contextlib.chdir(folder):
        yield
