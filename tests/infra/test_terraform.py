"""The terraform code without a cloud: format, validation of variables, environments, and the resources of tasks."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from terraform_runner import ROOT, TERRAFORM, copied, initialised, moto, terraform, value, variables_alone

from tasks.support.resources import ACCELERATORS, encoder, heavy, trainer

ENVIRONMENTS = ("dev", "prod")

SIZES = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "24xlarge": 96}
"""CPUs of EC2's sizes."""

GIB_A_CPU = {"m7i": 4, "m6i": 4, "m6a": 4, "m5": 4, "g6": 4, "g6e": 8, "p4d": 12}
"""Memory of EC2's families."""

LEFT = 0.93
"""Share of a node of 8 CPUs or more that kubelet, the system and the pods of every node leave, mostly more."""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the variables alone, which needs no provider."""
    return variables_alone(tmp_path_factory.mktemp("variables") / "terraform")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole project, with the provider and without a state."""
    return initialised(copied(tmp_path_factory.mktemp("terraform")), "-backend=false")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A stand-in for AWS that knows zones and accounts."""
    with moto(tmp_path_factory.mktemp("moto") / "log") as url:
        yield url


def test_files_are_formatted() -> None:
    run = terraform(TERRAFORM, "fmt", "-check", "-diff", "-recursive")

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_project_is_valid(project: Path) -> None:
    run = terraform(project, "validate", "-no-color")

    assert run.returncode == 0, run.stdout + run.stderr


def test_bad_values_are_refused(variables: Path) -> None:
    run = terraform(variables, "test", "-no-color")

    assert run.returncode == 0, run.stdout + run.stderr
    tested = set(
        re.findall(r"expect_failures = \[var\.(\w+)\]", (TERRAFORM / "tests/variables/refusals.tftest.hcl").read_text())
    )
    checked = {
        block.split('"')[1]
        for path in TERRAFORM.glob("variables*.tf")
        for block in re.split(r"^(?=variable )", path.read_text(), flags=re.M)
        if "validation {" in block
    }
    assert checked == tested, "one refusal each"
    assert "0 failed" in run.stdout


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('cluster_public_cidrs=["0.0.0.0/0"]', "Name the addresses of your office or VPN"),
        ('zones=["eu-central-1a"]', "Name 2 or 3, such as eu-central-1a and eu-central-1b"),
        ('gpu_node_groups={x={accelerator="TPU",instance_types=["g6.xlarge"]}}', "Use one of A100, H100, L4, L40S, T4"),
    ],
)
def test_a_refusal_names_the_fix(variables: Path, given: str, message: str) -> None:
    run = terraform(variables, "plan", "-no-color", f"-var-file={TERRAFORM}/environments/dev.tfvars", f"-var={given}")

    assert run.returncode == 1
    assert message in re.sub(r"\s*\n│?\s*", " ", run.stderr)


def test_every_variable_and_output_is_described_and_typed() -> None:
    for path in TERRAFORM.glob("*.tf"):
        for block in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', path.read_text(), flags=re.M | re.S):
            kind, name, body = block
            assert re.search(r"^  description = ", body, flags=re.M), f"{path.name}: {name}"
            assert kind == "output" or re.search(r"^  type +=", body, flags=re.M), f"{path.name}: {name}"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_passes_the_tests_of_terraform(project: Path, endpoint: str, name: str) -> None:
    arguments = ["test", "-no-color", "-test-directory=tests/aws"]
    run = terraform(project, *arguments, f"-var-file=environments/{name}.tfvars", endpoint=endpoint)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed, 0 failed" in run.stdout


@pytest.mark.full
def test_planted_faults_of_an_environment_are_found(tmp_path: Path, endpoint: str) -> None:
    """Planted: nodes whose metadata every pod can read, and GPU nodes that are open to all pods."""
    planted = copied(tmp_path)
    nodes = (planted / "nodes.tf").read_text()
    nodes = re.sub(r"http_tokens +=.*", 'http_tokens = "optional"', nodes)
    nodes = nodes.replace("[local.gpu_taint, local.spot_taint] : [local.gpu_taint]", "[local.spot_taint] : []")
    (planted / "nodes.tf").write_text(nodes)
    initialised(planted, "-backend=false")
    arguments = ["test", "-no-color", "-test-directory=tests/aws"]

    run = terraform(planted, *arguments, "-var-file=environments/dev.tfvars", endpoint=endpoint)

    assert run.returncode == 1
    assert "A pod could get the rights of its node" in run.stdout + run.stderr
    assert "open to pods that ask for no GPU" in run.stdout + run.stderr


def test_accelerators_are_those_of_the_tasks(variables: Path) -> None:
    ours = {name: each.to_flyte_idl().device for name, each in ACCELERATORS.items()}

    assert value(variables, "dev", "{for name, each in local.accelerators : name => each.device}") == ours


def room(instance_type: str) -> tuple[float, float]:
    """Return the CPUs and GiB that a node of this type leaves to pods at least."""
    family, size = instance_type.split(".")
    return SIZES[size] * LEFT, SIZES[size] * GIB_A_CPU[family] * LEFT


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_task_fits_on_a_node(variables: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PROFILE", "cpu")
    on_cpu = [heavy()["requests"], encoder()["requests"], trainer()["requests"]]
    monkeypatch.setenv("ASSAY_PROFILE", "gpu")
    on_gpu = [encoder()["requests"], trainer()["requests"]]
    cpu_types = value(variables, name, "var.cpu_nodes.instance_types")
    gpu_types = value(variables, name, "flatten([for each in values(var.gpu_node_groups) : each.instance_types])")

    assert cpu_types and gpu_types
    for types, requested in ((cpu_types, on_cpu), (gpu_types, on_gpu)):
        for each in requested:
            cpu, gib = float(each.cpu), float(each.mem.removesuffix("Gi"))
            small = [kind for kind in types if room(kind)[0] < cpu or room(kind)[1] < gib]
            assert not small, f"{each} does not fit on {small}"


def test_a_type_that_is_too_small_would_be_found() -> None:
    assert room("m7i.xlarge")[0] < 4, "4 CPUs, of which tasks request 4"
    assert room("g6.4xlarge")[1] < 64, "64 GiB, of which tasks request 64"


def test_no_state_is_kept_in_git() -> None:
    wanted = ["terraform.tfstate", "terraform.tfstate.backup", "backend.prod.hcl", ".terraform/x", "x.tfplan"]
    paths = [str((TERRAFORM / each).relative_to(ROOT)) for each in wanted]
    run = subprocess.run(["git", "check-ignore", "--no-index", *paths], cwd=ROOT, capture_output=True, text=True)

    assert run.stdout.split() == paths
    assert 'backend "s3" {}' in (TERRAFORM / "versions.tf").read_text(), "given at init, not here"


@pytest.mark.skipif(shutil.which("checkov") is None, reason="checkov is not on the PATH: make lint-infra runs it")
def test_checkov_finds_nothing() -> None:
    command = ["checkov", "--directory", str(TERRAFORM), "--framework", "terraform", "--quiet", "--skip-download"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)

    assert run.returncode == 0, run.stdout + run.stderr
