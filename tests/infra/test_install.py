"""infra/install.sh with tools that only record how they were called: order, pinned versions, and messages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RELEASES = ("kube-prometheus-stack", "cluster-autoscaler", "gpu-operator", "flyte-binary")
PASSWORD = "of-the-database"

OUTPUTS = {
    "environment": "dev",
    "cluster_name": "assay-dev",
    "region": "eu-central-1",
    "serving_namespace": "assay-dev",
    "database_secret_arn": "arn:secret",
    "helm_values": {name: f"of: {name}\n" for name in RELEASES},
    "kustomizations": {"serving": "resources: []\n", "training-operator": "resources: []\n"},
}

TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  terraform*) cat "$GIVEN" ;;
  *get-secret-value*) printf %s "$PASSWORD" ;;
  kubectl*create*secret*flyte-database*)
    for each; do
      case "$each" in --from-file=*) cat "${each#*yaml=}" >> "$SECRET" ;; esac
    done ;;
  kubectl*"get secret grafana-admin"*) exit "${GRAFANA:-1}" ;;
  helm*"${BROKEN:-nothing}"*) exit 1 ;;
esac
"""


class Machine:
    """A copy of the project's infra, and a PATH with tools that do nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.secret = folder, folder / "calls", folder / "secret"
        shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns(".terraform"))
        self.tools = folder / "bin"
        self.tools.mkdir()
        for name in ("basename", "cat", "dirname", "mkdir"):  # none of the other tools of this machine
            (self.tools / name).symlink_to(shutil.which(name) or "")
        # The python3 of the PATH may be a script that needs more tools than these.
        (self.tools / "python3").symlink_to(Path(sys.executable).resolve())
        for name in ("terraform", "aws", "kubectl", "helm"):
            (self.tools / name).write_text(TOOL)
            (self.tools / name).chmod(0o755)
        self.give(OUTPUTS)

    def give(self, outputs: dict) -> None:
        """Set the outputs of terraform."""
        (self.folder / "given").write_text(json.dumps({name: {"value": value} for name, value in outputs.items()}))

    def install(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script. `self.lines` has the calls of this run alone."""
        self.calls.write_text("")
        known = {"CALLS": str(self.calls), "GIVEN": str(self.folder / "given"), "SECRET": str(self.secret)}
        script = ["/bin/bash", str(self.folder / "infra/install.sh"), *arguments]
        environment = {"PATH": str(self.tools), "HOME": os.environ["HOME"], "PASSWORD": PASSWORD} | known | variables
        return subprocess.run(script, capture_output=True, text=True, timeout=120, env=environment)

    @property
    def lines(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_everything_is_installed_in_order_and_in_pinned_versions(machine: Machine) -> None:
    run = machine.install("dev")

    assert run.returncode == 0, run.stderr
    releases = [line for line in machine.lines if line.startswith("helm")]
    assert [line.split()[3] for line in releases] == list(RELEASES), "monitors need Prometheus' kinds of objects"
    for line, name in zip(releases, RELEASES, strict=True):
        assert line.startswith("helm upgrade --install ")
        assert re.search(r"--version v?\d+\.\d+\.\d+ ", line)
        values = machine.folder / re.search(r"--values (\S+)", line)[1]
        assert yaml.safe_load(values.read_text()) == {"of": name}
        assert "--kube-context assay-dev" in line
    assert all("--context assay-dev" in line for line in machine.lines if line.startswith("kubectl"))
    assert "apply -k work/dev/serving" in run.stderr, "names the next step"


def test_a_second_run_does_the_same_except_for_the_password_that_is_made_once(machine: Machine) -> None:
    machine.install("dev")
    first = machine.lines

    run = machine.install("dev", GRAFANA="0")

    assert run.returncode == 0, run.stderr
    made = "create secret generic grafana-admin"
    # Both ends of a pipe start at once: their order is by chance.
    assert sorted(line for line in first if made not in line) == sorted(machine.lines)
    assert len(first) == len(machine.lines) + 1
    creating = [line for line in machine.lines if " create " in line]
    assert creating and all("--dry-run=client" in line for line in creating), "what exists is not created again"


def test_the_password_is_no_argument_and_in_no_file(machine: Machine) -> None:
    run = machine.install("dev")

    assert yaml.safe_load(machine.secret.read_text()) == {"database": {"postgres": {"password": PASSWORD}}}
    assert PASSWORD not in machine.calls.read_text() + run.stdout + run.stderr
    assert not [
        path for path in (machine.folder / "work").rglob("*") if path.is_file() and PASSWORD in path.read_text()
    ]


def test_rendering_touches_no_cluster(machine: Machine) -> None:
    run = machine.install("dev", "--render")

    assert run.returncode == 0, run.stderr
    assert {line.split()[0] for line in machine.lines} == {"terraform"}
    assert (machine.folder / "work/dev/training-operator/kustomization.yaml").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which environment: infra/install.sh dev, or prod"),
        (["staging"], "say which environment"),
        (["dev", "--force"], "--force is unknown"),
        (["prod"], "terraform's state is that of dev: run terraform init -reconfigure"),
    ],
)
def test_a_bad_request_is_refused_with_a_message(machine: Machine, arguments: list[str], message: str) -> None:
    run = machine.install(*arguments)

    assert run.returncode == 1
    assert message in run.stderr
    assert not [line for line in machine.lines if not line.startswith("terraform")]


def test_a_tool_that_is_missing_is_named(machine: Machine) -> None:
    (machine.tools / "helm").unlink()

    run = machine.install("dev")

    assert (run.returncode, machine.lines) == (1, [])
    assert "helm is missing: install it first" in run.stderr


def test_an_output_that_is_missing_is_named(machine: Machine) -> None:
    machine.give({name: value for name, value in OUTPUTS.items() if name != "helm_values"})

    run = machine.install("dev")

    assert run.returncode == 1
    assert "terraform has no output helm_values: run terraform apply" in run.stderr


def test_a_release_that_fails_ends_the_installation(machine: Machine) -> None:
    run = machine.install("dev", BROKEN="gpu-operator")

    assert run.returncode == 1
    assert "gpu-operator could not be installed" in run.stderr
    assert not [line for line in machine.lines if "flyte-binary" in line and line.startswith("helm")]


def test_disks_are_encrypted_and_in_the_zone_of_their_pod() -> None:
    disks = yaml.safe_load((ROOT / "infra/platform/storageclass.yaml").read_text())

    kubernetes_validate.validate(disks, "1.35", strict=True)
    assert disks["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert disks["volumeBindingMode"] == "WaitForFirstConsumer"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not on the PATH: install shellcheck")
def test_shellcheck_finds_nothing() -> None:
    run = subprocess.run(["shellcheck", str(ROOT / "infra/install.sh")], capture_output=True, text=True, timeout=60)

    assert run.returncode == 0, run.stdout


def test_flyte_is_of_the_minor_version_of_flytekit() -> None:
    installed = re.search(r"^FLYTE=v(\d+\.\d+)\.\d+$", (ROOT / "infra/install.sh").read_text(), re.M)
    locked = re.search(r"^flytekit==(\d+\.\d+)\.", (ROOT / "requirements-cpu.lock").read_text(), re.M)
    assert installed and locked
    assert installed[1] == locked[1]
