"""Files for flytectl and pyflyte: valid by Flyte's own definitions, consistent, and with limits that tasks fit into."""

import ast
import os
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from flyteidl.admin import matchable_resource_pb2 as matchable
from flyteidl.admin import project_pb2
from flytekit import Resources
from flytekit.configuration import Config
from google.protobuf.json_format import ParseDict, ParseError
from kubernetes.utils import parse_quantity

from tasks.support import resources
from tasks.support.processes import elastic

ROOT = Path(__file__).resolve().parents[2]
FLYTE = ROOT / "infra/flyte"
DOMAINS = {"dev": "development", "prod": "production"}
FILES = {
    "task-resources.yaml": matchable.TaskResourceAttributes,
    "quota.yaml": matchable.ClusterResourceAttributes,
    "execution.yaml": matchable.WorkflowExecutionConfig,
}
PROFILES = ("light", "heavy", "cleaner", "encoder", "trainer")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FLYTE / name).read_text())


def secrets() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in read("secrets.yaml")["secrets"]}


@pytest.mark.parametrize("environment", DOMAINS)
@pytest.mark.parametrize("name", FILES)
def test_every_file_is_a_message_of_flyte_and_for_the_same_project(environment: str, name: str) -> None:
    file = read(f"{environment}/{name}")
    assert (file.pop("project"), file.pop("domain")) == (read("project.yaml")["id"], DOMAINS[environment])
    assert ParseDict(file, FILES[name]()).ByteSize() > 0
    with pytest.raises(ParseError, match="limitz"):
        ParseDict({**file, "limitz": {}}, FILES[name]())


def test_there_is_one_project() -> None:
    project = ParseDict(read("project.yaml"), project_pb2.Project())
    assert project.id == project.name == "assay"


def test_each_tunnel_has_a_port_of_its_own() -> None:
    endpoints = {}
    for environment in DOMAINS:
        assert set(read(f"{environment}.config.yaml")) == {"admin"}, "flytectl refuses keys that it does not know"
        endpoints[environment] = Config.auto(str(FLYTE / f"{environment}.config.yaml")).platform.endpoint
    endpoints["sandbox"] = Config.auto(str(ROOT / "flyte.config.yaml")).platform.endpoint
    assert len(set(endpoints.values())) == 3


def too_much(asked: Resources, limits: dict[str, str]) -> list[str]:
    """Return the resources of a task beyond the limits of a domain. A resource without a limit has the limit 0."""
    wanted = {"cpu": asked.cpu, "memory": asked.mem, "gpu": asked.gpu}
    return [
        f"{name}: {value}"
        for name, value in wanted.items()
        if value is not None and parse_quantity(str(value)) > parse_quantity(limits.get(name, "0"))
    ]


@pytest.mark.parametrize("environment", DOMAINS)
@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_resources_of_tasks_are_within_the_limits(
    environment: str, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = read(f"{environment}/task-resources.yaml")["limits"]
    monkeypatch.setenv("ASSAY_PROFILE", profile)
    monkeypatch.setenv("ASSAY_GPUS", limits["gpu"])
    for name in PROFILES:
        asked = getattr(resources, name)()
        assert too_much(asked["limits"], limits) == too_much(asked["requests"], limits) == []
    assert too_much(Resources(cpu="1", mem="2Ti", gpu="1"), {"cpu": "1", "memory": "1Ti"}) == ["memory: 2Ti", "gpu: 1"]


@pytest.mark.parametrize("environment", DOMAINS)
def test_defaults_are_below_limits_and_a_quota_holds_several_pods(environment: str) -> None:
    file, quota = read(f"{environment}/task-resources.yaml"), read(f"{environment}/quota.yaml")["attributes"]
    for name, kind in (("Cpu", "cpu"), ("Memory", "memory"), ("Gpu", "gpu")):
        limit = parse_quantity(file["limits"][kind])
        assert parse_quantity(file["defaults"].get(kind, "0")) <= limit
        assert parse_quantity(quota[f"projectQuota{name}"]) >= 2 * limit


def named_secrets(source: str) -> Iterator[tuple[str, str]]:
    """Yield group and key of each flytekit Secret that a module requests."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "Secret":
            given = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg in ("group", "key")}
            yield given["group"], given["key"]


def test_every_secret_that_is_named_is_in_the_list() -> None:
    planted = "task(secret_requests=[Secret(group='assay-tasks', key='HF_TOKEN'), flytekit.Secret(key='b', group='a')])"
    assert list(named_secrets(planted)) == [("assay-tasks", "HF_TOKEN"), ("a", "b")]
    for file in (*(ROOT / "tasks").glob("*.py"), *(ROOT / "workflows").glob("*.py")):
        for group, key in named_secrets(file.read_text()):
            assert key in secrets()[group]["keys"], f"{file.name} requests {group}/{key}"


def referred(document: Any) -> Iterator[str]:
    """Yield the names of all Secrets that a manifest refers to."""
    if isinstance(document, dict):
        for kind in {"secretRef", "credentials"} & document.keys():
            yield document[kind]["name"]
        for value in document.values():
            yield from referred(value)
    elif isinstance(document, list):
        for value in document:
            yield from referred(value)


def test_secrets_are_used_where_the_list_states_it_and_the_list_has_no_values() -> None:
    for name, secret in secrets().items():
        documents = list(yaml.safe_load_all((ROOT / secret["given_by"]).read_text()))
        assert set(referred(documents)) == {name}
        assert set(secret) == {"name", "namespaces", "given_by", "keys"}
    assert secrets()["assay-tasks"]["namespaces"] == [f"assay-{domain}" for domain in DOMAINS.values()]
    overlays = [
        yaml.safe_load(file.read_text()) for file in ROOT.glob("infra/kubernetes/overlays/*/kustomization.yaml")
    ]
    for name in ("assay-serving", "assay-metrics"):
        assert set(secrets()[name]["namespaces"]) == {overlay["namespace"] for overlay in overlays}


def test_the_pod_template_and_the_role_are_valid() -> None:
    template = read("pod-template.yaml")
    documents = [template, *yaml.safe_load_all((FLYTE / "register-role.yaml").read_text())]
    for document in documents:
        kubernetes_validate.validate(document, "1.37", strict=True)
    (container,) = template["template"]["spec"]["containers"]
    assert container["name"] == "default"
    assert all("*" not in (*rule["resources"], *rule["verbs"]) for rule in documents[1]["rules"])


# Records its arguments and prints the projects of a file; `update` reads a confirmation, as flytectl does.
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in
  *"get project"*) cat "$THERE" ;;
  *" update "*) read answer && [ "$answer" = y ] ;;
  *"get namespace"*) exit 1 ;;
esac
"""


def apply(folder: Path, *arguments: str, there: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    tools, calls, project = folder / "tools", folder / "calls", folder / "there"
    tools.mkdir(exist_ok=True)
    calls.write_text("")
    project.write_text(there)
    for name in ("flytectl", "kubectl"):
        (tools / name).write_text(STAND_IN)
        (tools / name).chmod(0o755)
    environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "CALLS": str(calls), "THERE": str(project)}
    command = ["bash", str(FLYTE / "apply.sh"), *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return run, calls.read_text().splitlines()


@pytest.mark.parametrize(("there", "verb"), [("[]", "create"), ('{"id": "assay"}', "update")])
def test_applying_makes_the_project_once_and_everything_else_again(tmp_path: Path, there: str, verb: str) -> None:
    run, calls = apply(tmp_path, "prod", there=there)

    assert run.returncode == 0, run.stderr
    flytectl = [call for call in calls if call.startswith("flytectl ")]
    assert all(call.startswith("flytectl --config prod.config.yaml ") for call in flytectl)
    assert flytectl[1].endswith(f"{verb} project --file project.yaml")
    assert [call.split()[-1] for call in flytectl[2:]] == [f"prod/{name}" for name in FILES]
    kubectl = [call for call in calls if call.startswith("kubectl ")]
    assert all("--context assay-prod " in call for call in kubectl)
    assert kubectl[-1].endswith("apply --namespace assay-production --filename pod-template.yaml")


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    run, calls = apply(tmp_path, "staging", there="[]")
    assert (run.returncode, calls) == (2, [])
    assert "dev or prod" in run.stderr


def register(**settings: str) -> subprocess.CompletedProcess[str]:
    given = [f"{name}={value}" for name, value in settings.items()]
    environment = {"PATH": os.environ["PATH"]}  # not that of a `make test` above, nor anybody's VERSION
    command = ["make", "-n", "register", *given]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("environment", ["sandbox", *DOMAINS])
def test_make_register_uses_the_environment_that_is_named(environment: str) -> None:
    run = register(ENV=environment, VERSION="v1", REPOSITORY="registry.example/assay")
    line = run.stdout.replace("\\\n", " ").splitlines()[-1].split()
    option = dict(pairwise(line))
    assert option["--version"] == "v1" and option["--copy"] == "all"
    assert option["--destination-dir"] == ".", "the working directory of the image, which its user may write"
    profile = "laptop" if environment == "sandbox" else "cpu"
    assert f"ASSAY_PROFILE={profile}" in line
    assert option["-c"] == (
        "flyte.config.yaml" if environment == "sandbox" else f"infra/flyte/{environment}.config.yaml"
    )
    assert option["--domain"] == DOMAINS.get(environment, "development")
    assert option["--image"] == "assay=registry.example/assay/task:v1"
    assert "--activate-launchplans" not in line, "only on request"

    run = register(ENV=environment, VERSION="v1", ACTIVATE="1", ASSAY_PROFILE="gpu")
    assert "--activate-launchplans" in run.stdout
    assert "/task-gpu:v1" in run.stdout and " ASSAY_PROFILE=gpu " in run.stdout


def test_the_image_of_the_sandbox_is_what_make_builds() -> None:
    environment = {"PATH": os.environ["PATH"]}
    command = ["make", "-n", "images", "VERSION=v1"]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    option = dict(pairwise(register(VERSION="v1").stdout.replace("\\\n", " ").splitlines()[-1].split()))

    assert "--tag localhost:30000/assay/$target:v1" in built.stdout
    assert option["--image"] == "assay=localhost:30000/assay/task:v1"
    assert yaml.safe_load((ROOT / "flyte.config.yaml").read_text())["images"]["assay"] == option["--image"][6:]


def test_all_pods_of_a_training_fit_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with 4 cores and 8 GB, of which the sandbox itself takes a part."""
    monkeypatch.setenv("ASSAY_PROFILE", "laptop")
    for name in (*PROFILES, "solo_trainer"):
        asked = getattr(resources, name)()
        assert too_much(asked["requests"], {"cpu": "2", "memory": "4Gi"}) == []
    assert elastic().nproc_per_node == 1


@pytest.mark.parametrize("settings", [{"ENV": "staging", "VERSION": "v1"}, {"ENV": "dev"}])
def test_make_register_names_what_is_missing(settings: dict[str, str]) -> None:
    run = register(**settings)
    assert run.returncode != 0
    assert ("sandbox, dev or prod" if "VERSION" in settings else "VERSION is missing") in run.stderr
