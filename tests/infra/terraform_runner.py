"""Run terraform on a copy of infra/terraform, so that nothing is left in the project, with a moto server for AWS.

The provider comes from TF_PLUGIN_DIR if that is set, otherwise from the place in terraform's own configuration: a
mirror, a cache, a registry. Tests whose tools are missing are skipped with a message.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "infra/terraform"


def environment(endpoint: str = "") -> dict[str, str]:
    """Return variables for terraform: no prompt, no account of the user, and moto in the place of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    if not Path(kept.get("TF_CLI_CONFIG_FILE", os.devnull)).exists():
        del kept["TF_CLI_CONFIG_FILE"]  # terraform warns of a missing file with every command
    kept |= {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "AWS_EC2_METADATA_DISABLED": "true", "CHECKPOINT_DISABLE": "1"}
    return kept | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})


def terraform(
    folder: Path, *arguments: str, endpoint: str = "", within: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run one command in a folder. Skip the test if terraform is missing."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on the PATH: install terraform 1.11 or later")
    command = ["terraform", f"-chdir={folder}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=within, env=environment(endpoint))


def copied(folder: Path) -> Path:
    """Return a copy of infra/terraform, beside a copy of the rules that it reads."""
    leave = shutil.ignore_patterns(".terraform", "*.tfstate*", "*_override.tf", "backend.*.hcl")
    shutil.copytree(TERRAFORM, folder / "terraform", ignore=leave)
    shutil.copytree(ROOT / "infra/monitoring", folder / "monitoring")
    return folder / "terraform"


def initialised(folder: Path, *arguments: str) -> Path:
    """Run `terraform init` with the versions of the lock. Skip the test if the provider cannot be downloaded."""
    mirror = os.environ.get("TF_PLUGIN_DIR", "")
    place = [f"-plugin-dir={mirror}"] if mirror else []
    run = terraform(folder, "init", "-no-color", "-lockfile=readonly", *place, *arguments)
    if run.returncode and any(
        word in run.stderr for word in ("Failed to query available provider", "Failed to install")
    ):
        pytest.skip("terraform's AWS provider cannot be downloaded: set TF_PLUGIN_DIR to a folder that has it")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def variables_alone(folder: Path) -> Path:
    """Copy the files that validate variables alone: they need no provider, and are quick."""
    (folder / "tests").mkdir(parents=True)
    for path in (*TERRAFORM.glob("variables*.tf"), TERRAFORM / "accelerators.tf"):
        shutil.copy(path, folder)
    shutil.copy(TERRAFORM / "tests/variables/refusals.tftest.hcl", folder / "tests")
    run = terraform(folder, "init", "-no-color")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def value(folder: Path, name: str, expression: str) -> Any:
    """Return the value of an expression, with the variables of an environment."""
    command = [f"-chdir={folder}", "console", f"-var-file={TERRAFORM / 'environments' / name}.tfvars"]
    text = f"jsonencode({expression})\n"
    run = subprocess.run(
        ["terraform", *command], input=text, capture_output=True, text=True, timeout=60, env=environment()
    )
    assert run.returncode == 0, run.stderr
    return json.loads(json.loads(run.stdout))


@contextmanager
def moto(log: Path) -> Iterator[str]:
    """Yield the URL of a moto server, a process of its own that knows AWS's own policies."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    known = os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with log.open("w") as out, subprocess.Popen(server, stdout=out, stderr=out, env=known) as process:
        try:
            for _ in range(300):
                assert process.poll() is None, log.read_text()
                with socket.socket() as client:
                    if client.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
