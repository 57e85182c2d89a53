"""What registration would send to Flyte: tasks, workflows and launch plans as protobuf, and what keys their caches."""

import base64
import os
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import literals_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "package.tgz"
CODE = "code.tar.gz"
"""The archive that registration ships."""
PLANS = {
    "retraining": "workflows.retraining.retrain_and_redeploy",
    "nightly_filtering": "workflows.nightly.filter_new_documents",
    "hourly_watch": "workflows.watch.watch_service",
}
"""Launch plan -> its workflow."""
ONE_ENCODING = {types_pb2.INTEGER, types_pb2.FLOAT, types_pb2.STRING, types_pb2.BOOLEAN}
"""Simple types whose values are encoded in one way only."""


def compile_package(folder: Path, **environment: str) -> None:
    """Write what `make package` compiles into a folder, and beside it the archive of code that it has."""
    command = [*make("package", WORK=str(folder))[3:], "--output", str(folder / PACKAGE)]
    command[command.index("--image") + 1] = "assay=registry.example/assay:1"
    pyflyte = str(Path(sys.executable).with_name("pyflyte"))
    run = subprocess.run(
        [pyflyte, "-c", "flyte.config.yaml", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    with tarfile.open(folder / PACKAGE) as archive:
        (code,) = (member for member in archive.getmembers() if member.name.endswith(".tar.gz"))
        (folder / CODE).write_bytes(archive.extractfile(code).read())


def read_package(folder: Path) -> dict[str, object]:
    """Return name -> protobuf of everything that is in a package."""
    found: dict[str, object] = {}
    with tarfile.open(folder / PACKAGE) as archive:
        for member in archive.getmembers():
            kind = {"_1.pb": task_pb2.TaskSpec, "_2.pb": workflow_pb2.WorkflowSpec, "_3.pb": launch_plan_pb2.LaunchPlan}
            for ending, message in kind.items():
                if member.name.endswith(ending):
                    spec = message()
                    spec.ParseFromString(archive.extractfile(member).read())
                    found[member.name] = spec
    return found


SERIALISE = """
import base64, importlib, sys
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.core.base_task import PythonTask
from flytekit.tools.translator import get_serializable
from collections import OrderedDict
image = "registry.example/assay:1"
settings = SerializationSettings(ImageConfig.from_images(image, {"assay": image}), "p", "d", "v")
for module in sys.argv[1:]:
    for found in vars(importlib.import_module(f"tasks.{module}")).values():
        if isinstance(found, PythonTask):
            spec = get_serializable(OrderedDict(), settings, found).to_flyte_idl()
            print(base64.b64encode(spec.SerializeToString()).decode())
"""


def tasks_alone(modules: Sequence[str], **environment: str) -> dict[str, task_pb2.TaskSpec]:
    """Return name -> task of some modules of tasks, in a third of the time that a package takes."""
    run = subprocess.run(
        [sys.executable, "-c", SERIALISE, *modules],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    specs = [task_pb2.TaskSpec.FromString(base64.b64decode(line)) for line in run.stdout.split()]
    return {spec.template.id.name.rsplit(".", 1)[-1]: spec for spec in specs}


@dataclass(frozen=True)
class Registered:
    """What `make package` made."""

    specs: dict[str, object]
    """Name -> protobuf."""
    folder: Path

    @property
    def code(self) -> bytes:
        """The archive of code that registration ships."""
        return (self.folder / CODE).read_bytes()


def make(target: str, **settings: str) -> list[str]:
    """Return the last command that `make` would run for a target, as words; none is run."""
    given = [f"{name}={value}" for name, value in settings.items()]
    environment = {"PATH": os.environ["PATH"]}  # not that of a `make test` above
    run = subprocess.run(
        ["make", "-n", target, *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return shlex.split(run.stdout.replace("\\\n", " ").splitlines()[-1])


def by_name(packaged: dict[str, object], kind: type) -> dict[str, Any]:
    """Return name -> protobuf of the tasks, workflows or launch plans."""
    specs: list[Any] = [spec for spec in packaged.values() if isinstance(spec, kind)]
    return {(spec.template if hasattr(spec, "template") else spec).id.name: spec for spec in specs}


def tasks_of(packaged: dict[str, object]) -> dict[str, task_pb2.TaskSpec]:
    specs = [spec for spec in packaged.values() if isinstance(spec, task_pb2.TaskSpec)]
    return {spec.template.id.name.rsplit(".", 1)[-1]: spec for spec in specs}


def mapped(name: str) -> str:
    """Return the task behind a name. A task that is mapped over a list is registered under a name of its own."""
    return re.sub("^map_(.*)_[0-9a-f]{32}-arraynode$", r"\1", name)


def resources_of(spec: task_pb2.TaskSpec) -> dict[str, str]:
    names = spec.template.container.resources.DESCRIPTOR.fields_by_name["requests"].message_type
    kind = names.fields_by_name["name"].enum_type.values_by_number
    return {kind[entry.name].name: entry.value for entry in spec.template.container.resources.requests}


def promises(binding: literals_pb2.BindingData) -> Iterator[types_pb2.OutputReference]:
    """Yield the outputs of nodes in a binding, also those in a list or map."""
    if binding.HasField("promise"):
        yield binding.promise
    for inner in (*binding.collection.bindings, *binding.map.bindings.values()):
        yield from promises(inner)


def calls(nodes: Iterable[core.Node]) -> Iterator[tuple[str, core.Node]]:
    """Yield the name of a task or workflow and the node that calls it, also in maps and in branches of conditions."""
    for node in nodes:
        match node.WhichOneof("target"):
            case "task_node":
                yield node.task_node.reference_id.name, node
            case "workflow_node":
                yield getattr(node.workflow_node, node.workflow_node.WhichOneof("reference")).name, node
            case "array_node":
                yield from ((name, node) for name, _ in calls([node.array_node.node]))
            case "branch_node":
                branch = node.branch_node.if_else
                yield from calls([branch.case.then_node, *(case.then_node for case in branch.other)])
                yield from calls([branch.else_node] if branch.HasField("else_node") else [])


def attributes_of_outputs(packaged: dict[str, object]) -> set[tuple[str, str]]:
    """Return (task or workflow, input) of each input that is an attribute of an output, also through workflows."""
    workflows = [spec.template for spec in packaged.values() if isinstance(spec, workflow_pb2.WorkflowSpec)]
    bound = [
        (workflow.id.name, name, given.var, promise)
        for workflow in workflows
        for name, node in calls(workflow.nodes)
        for given in node.inputs
        for promise in promises(given.binding)
    ]
    found: set[tuple[str, str]] = set()
    before = -1
    while len(found) > before:  # until no workflow passes on another one
        before = len(found)
        for workflow, name, variable, promise in bound:
            own_input = promise.node_id in ("", "start-node")  # flytekit leaves it empty
            if promise.attr_path or (own_input and (workflow, promise.var) in found):
                found.add((name, variable))
    return found


def unstable_keys(packaged: dict[str, object]) -> list[tuple[str, str]]:
    """Return (task, input) of each input that keys a cache and is an attribute that has more than one encoding.

    Flyte's propeller encodes the attribute of a dataclass again, with maps in random order (flyte issue 6517), so that
    such a key changes each time.
    """
    tasks = {spec.template.id.name: spec.template for spec in packaged.values() if isinstance(spec, task_pb2.TaskSpec)}
    found = []
    for name, variable in sorted(attributes_of_outputs(packaged)):
        task = tasks.get(name)
        if task and task.metadata.discoverable and variable not in task.metadata.cache_ignore_input_vars:
            kind = task.interface.inputs.variables[variable].type
            if kind.WhichOneof("type") != "simple" or kind.simple not in ONE_ENCODING:
                found.append((name, variable))
    return found
