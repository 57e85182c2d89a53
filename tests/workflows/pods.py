"""The pod of a task: its serialised container as a process of its own, in an empty folder, in a pod's environment.

A pod has what Flyte's propeller and Kubernetes give it, and nothing of this machine but the installed packages of the
image: no checkout, no variable of the test, no development tool.
"""

import functools
import importlib.metadata
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import fsspec
import pandas as pd
from compiled import ROOT
from dockerfile import lineage
from flyteidl.admin import task_pb2
from flyteidl.core import errors_pb2, literals_pb2

HERE = Path(__file__).parent
BUCKET = "my-s3-bucket"
FOLDER = f"s3://{BUCKET}/assay"
"""Where tests put what is theirs."""
LITERAL_LIMIT = 2 * 1024 * 1024
"""Bytes of a file of inputs or outputs that propeller reads (storage.limits.maxDownloadMBs, 2 by default)."""


class PodError(Exception):
    """A task that failed. The message is that of its error.pb: the whole traceback."""


@dataclass(frozen=True)
class Store:
    """A bucket of a local S3 server."""

    endpoint: str
    bucket: str

    @property
    def files(self) -> fsspec.AbstractFileSystem:
        return fsspec.filesystem("s3", key="test", secret="test", endpoint_url=self.endpoint)

    @property
    def sandbox(self) -> dict[str, str]:
        """What the sandbox's propeller gives each pod."""
        return {
            "FLYTE_AWS_ENDPOINT": self.endpoint,
            "FLYTE_AWS_ACCESS_KEY_ID": "test",
            "FLYTE_AWS_SECRET_ACCESS_KEY": "test",
        }

    def write(self, url: str, data: bytes) -> None:
        self.files.pipe_file(url, data)

    def write_table(self, url: str, rows: list[dict]) -> str:
        """Write rows as Parquet, and return the URL."""
        data = io.BytesIO()
        pd.DataFrame(rows).to_parquet(data, index=False)
        self.write(url, data.getvalue())
        return url

    def write_folder(self, folder: Path, url: str) -> None:
        """Copy the files of a folder."""
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            self.write(f"{url}/{file.relative_to(folder)}", file.read_bytes())

    def read(self, url: str) -> bytes:
        self.files.invalidate_cache()
        return bytes(self.files.cat_file(url))

    def exists(self, url: str) -> bool:
        self.files.invalidate_cache()
        return bool(self.files.exists(url))


@functools.cache
def absent_modules() -> tuple[str, ...]:
    """Return the modules that are here and not in the image: those of packages that only requirements.lock names."""

    def names(lock: str) -> set[str]:
        lines = (ROOT / lock).read_text().splitlines()
        return {re.split(r"[=\[ ;]", line)[0].lower().replace("_", "-") for line in lines if line and line[0].isalpha()}

    tools = names("requirements.lock") - names("requirements-cpu.lock")
    found = importlib.metadata.packages_distributions()
    return tuple(module for module, of in found.items() if {name.lower().replace("_", "-") for name in of} <= tools)


def image_environment(code: Path, home: Path) -> dict[str, str]:
    """Return the variables of the image of tasks. `code` and `home` of the pod stand for its WORKDIR and home."""
    given: dict[str, str] = {}
    workdir = lineage("task")[-2].all("WORKDIR")[0]
    for stage in lineage("task"):
        for line in stage.all("ENV"):
            given |= dict(pair.split("=", 1) for pair in line.split())
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"  # `tar` is of the system
    places = {workdir: code, str(Path(workdir).parent): home}
    for at, instead in places.items():
        given = {key: value.replace(at, str(instead)) for key, value in given.items()}
    return given | {"PATH": path}


@dataclass
class Pods:
    """Runs tasks, each in a folder of its own below `folder`."""

    folder: Path
    store: Store
    archive: str
    """URL of the code that registration uploaded."""
    variables: dict[str, str] = field(default_factory=dict)
    """What Flyte's configuration gives every pod (`default-env-vars`)."""
    started: list[str] = field(default_factory=list)
    """Tasks that ran, by name; a task of a map once for each of its pods."""

    def run(
        self, spec: task_pb2.TaskSpec, inputs: literals_pb2.LiteralMap, execution: str, index: int | None = None
    ) -> literals_pb2.LiteralMap:
        """Return the outputs of a task. Raise PodError if it fails. `index`: of a pod of a map."""
        name = spec.template.id.name
        self.started.append(name)
        number = len(self.started)
        pod, place = self.folder / f"{number:03d}", f"s3://{self.store.bucket}/metadata/{execution}/{number:03d}"
        code, tmp, home, inspection = (pod / part for part in ("code", "tmp", "home", "inspection"))
        for made in (code, tmp, home, inspection):
            made.mkdir(parents=True)
        shutil.copy(HERE / "pod" / "sitecustomize.py", inspection)
        (inspection / "absent.json").write_text(json.dumps(absent_modules()))
        values = {
            "input": f"{place}/inputs.pb",
            "outputPrefix": f"{place}/0",
            "rawOutputDataPrefix": f"s3://{self.store.bucket}/raw/{execution}/{number:03d}",
            "checkpointOutputPrefix": f"s3://{self.store.bucket}/raw/{execution}/{number:03d}/checkpoint",
            "prevCheckpointPrefix": "",
            "remote_package_path": self.archive,
        }
        self.store.write(values["input"], self._within_limit(inputs.SerializeToString(), name, "inputs"))

        container = spec.template.container
        command = [re.sub(r"{{ *\.(\w+) *}}", lambda found: values[found[1]], each) for each in container.args]
        environment = image_environment(code, home) | {
            "HOME": str(home),
            "TMPDIR": str(tmp),
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            "HOSTNAME": f"{execution}-{number}",
            "FLYTE_INTERNAL_EXECUTION_ID": execution,
            "FLYTE_INTERNAL_EXECUTION_PROJECT": "assay",
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": "development",
            "FLYTE_INTERNAL_TASK_PROJECT": "assay",
            "FLYTE_INTERNAL_TASK_DOMAIN": "development",
            "FLYTE_INTERNAL_TASK_NAME": name,
            "FLYTE_INTERNAL_TASK_VERSION": "v1",
            "FLYTE_ATTEMPT_NUMBER": "0",
            **self.store.sandbox,
            **self.variables,
            **{pair.key: pair.value for pair in container.env},
        }
        environment["PYTHONPATH"] += f":{inspection}"
        if index is not None:
            environment |= {
                "BATCH_JOB_ARRAY_INDEX_VAR_NAME": "FLYTE_K8S_ARRAY_INDEX",
                "FLYTE_K8S_ARRAY_INDEX": str(index),
            }
        assert list(code.iterdir()) == []
        run = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, timeout=600)
        (pod / "log").write_text(f"{name}\n{run.stdout}\n{run.stderr}")
        self._require_only_its_own(pod, name)
        if self.store.exists(f"{place}/0/error.pb"):
            error = errors_pb2.ErrorDocument.FromString(self.store.read(f"{place}/0/error.pb")).error
            raise PodError(error.message)
        assert run.returncode == 0, f"{name} ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-6000:]}"
        data = self._within_limit(self.store.read(f"{place}/0/outputs.pb"), name, "outputs")
        shutil.rmtree(pod)  # a pod's disk is gone with it
        return literals_pb2.LiteralMap.FromString(data)

    def _require_only_its_own(self, pod: Path, name: str) -> None:
        """Raise AssertionError if a process of the pod imported code of a checkout or wrote a file outside the pod."""
        reports = [json.loads(file.read_text()) for file in (pod / "inspection").glob("process-*.json")]
        assert reports, f"{name} has no report of a process: {(pod / 'log').read_text()[-3000:]}"
        installed = [Path(prefix) for prefix in (sys.prefix, sys.base_prefix, "/usr/lib")]
        allowed = {pod / "code", pod / "inspection", *installed, *(prefix.resolve() for prefix in installed)}
        for report in reports:
            foreign = [
                file for file in report["imported"] if not any(Path(file).is_relative_to(place) for place in allowed)
            ]
            assert not foreign, f"{name} imported {foreign}"
            outside = [file for file in report["written"] if not file.startswith((f"{pod}/", "/dev/"))]
            assert not outside, f"{name} wrote {outside}"

    @staticmethod
    def _within_limit(data: bytes, name: str, what: str) -> bytes:
        assert len(data) < LITERAL_LIMIT, f"{what} of {name} are {len(data):,} bytes, propeller reads {LITERAL_LIMIT:,}"
        return data
