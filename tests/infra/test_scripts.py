"""The scripts of images and of the tunnel, with stand-ins for the tools that need a cloud."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Tools:
    """A folder that comes first on the PATH, with a log of the calls of its tools."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "tools", folder / "calls"
        self.folder.mkdir()
        self.log.touch()

    def put(self, name: str, body: str = "") -> None:
        (self.folder / name).write_text(f'#!/bin/bash\necho "{name} $*" >> "{self.log}"\n{body}\n')
        (self.folder / name).chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.folder)}
        command = ["bash", str(ROOT / script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(tmp_path)


def test_an_image_is_pushed_once(tools: Tools) -> None:
    """First into a registry without the tag, then into one that has it."""
    registry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    tools.put("docker", "cat > /dev/null")
    tools.put("aws", 'case "$*" in *describe-images*) exit 1 ;; *) echo hunter2 ;; esac')
    run = tools.run("infra/image/push.sh", "task", f"{registry}/assay-dev", "v1")

    assert run.returncode == 0, run.stderr
    assert "aws ecr describe-images --repository-name assay-dev/task --image-ids imageTag=v1" in tools.calls()
    assert f"docker login --username AWS --password-stdin {registry}" in tools.calls()
    assert tools.calls()[-2:] == [f"docker push {registry}/assay-dev/task:v1", f"docker logout {registry}"]
    assert not any("hunter2" in each for each in (run.stdout, run.stderr, *tools.calls())), (
        "the password goes through a pipe"
    )

    before = tools.calls()
    tools.put("aws")
    assert "exists already" in tools.run("infra/image/push.sh", "task", f"{registry}/assay-dev", "v1").stdout
    assert not any(call.startswith("docker") for call in tools.calls()[len(before) :])


INSPECT = """case "$*" in
  *--raw*) echo '{{"manifests": [{{"platform": {{"architecture": "{architecture}"}}}}]}}' ;;
  *) echo '{{"digest": "{digest}"}}' ;;
esac"""


def test_a_base_whose_tag_has_moved_gives_a_warning_and_a_missing_one_fails(tools: Tools) -> None:
    (pinned,) = (line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.endswith(" AS base"))
    digest = pinned.split("@")[1].split()[0]
    tools.put("docker", INSPECT.format(architecture="amd64", digest=digest))
    run = tools.run("infra/image/check_base.sh")
    assert (run.returncode, run.stdout) == (0, ""), run.stderr

    tools.put("docker", INSPECT.format(architecture="amd64", digest="sha256:" + "0" * 64))
    run = tools.run("infra/image/check_base.sh")
    assert run.returncode == 0 and run.stdout.startswith("::warning file=Dockerfile::python:")

    tools.put("docker", INSPECT.format(architecture="s390x", digest=digest))
    assert tools.run("infra/image/check_base.sh").returncode == 1


@pytest.mark.parametrize(("environment", "port"), [("dev", 8089), ("prod", 8099)])
def test_a_tunnel_is_open_while_its_command_runs(tools: Tools, environment: str, port: int) -> None:
    tools.put("aws")
    tools.put("kubectl", f'echo $$ > "{tools.folder}/pid"; echo "Forwarding from 127.0.0.1:{port}"; exec sleep 600')
    tools.put("work", f'kill -0 "$(cat "{tools.folder}/pid")" && exit 7')
    run = tools.run("infra/flyte/tunnel.sh", environment, "work", "hard")

    assert run.returncode == 7, "the command's own status, with the tunnel open"
    assert tools.calls()[0] == f"aws eks update-kubeconfig --name assay-{environment} --alias assay-{environment}"
    assert f" port-forward service/flyte-binary-grpc {port}:8089" in tools.calls()[1]
    assert tools.calls()[2] == "work hard"
    config = (ROOT / f"infra/flyte/{environment}.config.yaml").read_text()
    assert f"localhost:{port}" in config
    with pytest.raises(ProcessLookupError):
        os.kill(int((tools.folder / "pid").read_text()), 0)


def test_without_a_tunnel_nothing_runs(tools: Tools) -> None:
    tools.put("aws")
    tools.put("kubectl", 'echo "error: unable to listen on port 8089" >&2; exit 1')
    tools.put("work")
    run = tools.run("infra/flyte/tunnel.sh", "dev", "work")

    assert run.returncode == 1
    assert run.stderr.strip() == "tunnel.sh: no tunnel to assay-dev: error: unable to listen on port 8089"
    assert not any(call.startswith("work") for call in tools.calls())


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        ('[{"name": "a", "version": "1", "vulns": []}]', 0, "1 packages, 0 with known faults"),
        (
            '[{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]',
            1,
            "a 1: CVE-1; without it: 2",
        ),
        ('[{"name": "a", "skip_reason": "not found"}]', 0, "1 that the database does not know"),
        ("", 0, "no database of faults can be reached, so nothing is known"),
    ],
)
def test_an_audit_fails_for_a_known_fault_and_not_without_a_network(
    tools: Tools, tmp_path: Path, found: str, status: int, said: str
) -> None:
    write = f"echo '{{\"dependencies\": {found}}}' > {tmp_path}/out/audit.json" if found else "exit 1"
    tools.put("uvx", f'case "$*" in *pip-audit*) {write} ;; *) exit 2 ;; esac')
    environment = {"PATH": os.environ["PATH"], "UVX": str(tools.folder / "uvx")}
    command = ["bash", str(ROOT / "infra/audit.sh"), str(tmp_path / "out")]

    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert run.returncode == status, run.stderr
    assert said in run.stdout
    assert "no SBOM of requirements-gpu.lock" in run.stderr
