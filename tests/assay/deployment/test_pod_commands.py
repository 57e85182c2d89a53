"""The commands of both containers of a pod, from the manifests, run here one after the other."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.serving import ask
from assay.serving.settings import PROCESS

TOKEN = "token-of-the-clients"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    command = ["kubectl", "kustomize", str(ROOT / "infra/kubernetes/overlays/prod")]
    found = yaml.safe_load_all(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    return next(each for each in found if each["kind"] == "Deployment")["spec"]["template"]["spec"]


def here(text: str, places: dict[str, str]) -> str:
    """Replace the folders of a pod by those of the test."""
    return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)


def values(container: dict[str, Any], given: dict[str, str], places: dict[str, str]) -> dict[str, str]:
    """Return the environment of a container as the cluster would make it."""
    return given | {each["name"]: here(each["value"], places) for each in container["env"] if "value" in each}


def arguments(container: dict[str, Any], environment: dict[str, str], places: dict[str, str]) -> list[str]:
    made = [here(each, places) for each in container["args"]]
    for name, value in environment.items():
        made = [each.replace(f"$({name})", value) for each in made]
    assert not any("$(" in each for each in made)
    return [sys.executable, *(made[1:] if made[0] == "python" else ["-m", *made])]


@pytest.mark.full
def test_the_commands_of_a_pod_serve_the_wanted_version(
    versions, pod: dict[str, Any], port: int, tmp_path: Path
) -> None:
    (fetch,), (server,) = pod["initContainers"], pod["containers"]
    places = {"/srv/model": str(tmp_path / "model"), "/tmp": str(tmp_path / "tmp")}
    for place in places.values():
        Path(place).mkdir()
    code = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    wanted = {
        **code,
        "ASSAY_REGISTRY": versions.registry,
        "ASSAY_VERSION": versions.first,
        "ASSAY_SERVE_TOKENS": TOKEN,
    }

    environment = values(fetch, wanted, places)
    nothing = subprocess.run(
        arguments(fetch, {**environment, "ASSAY_VERSION": ""}, places), env=environment, capture_output=True, text=True
    )
    assert (nothing.returncode, nothing.stderr.strip()[:38]) == (2, "fetch: no version was deployed yet. `a")
    for _ in range(2):  # a container that is restarted
        subprocess.run(arguments(fetch, environment, places), env=environment, check=True, timeout=120)

    environment = {**values(server, wanted, places), "OMP_NUM_THREADS": "1"}
    assert environment.items() >= PROCESS.items()
    command = [each.replace("--port=3000", f"--port={port}") for each in arguments(server, environment, places)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment, cwd=places["/tmp"], start_new_session=True) as process:
        try:
            status, deadline = (0, None), time.monotonic() + 120
            while status[0] != 200 and time.monotonic() < deadline:
                time.sleep(0.2)
                try:
                    status = ask(url, server["readinessProbe"]["httpGet"]["path"])
                except OSError:
                    continue
            assert status == (200, {"state": "ready", "version": versions.first})
            body = {"documents": [{"id": "a", "text": "Plants turn light into sugar."}]}
            assert ask(url, "/score", body)[0] == 401
            assert ask(url, "/score", body, token=TOKEN)[1][0]["model"]["version"] == versions.first
        finally:
            os.killpg(process.pid, signal.SIGTERM)
