"""This machine as a target: no request is lost while versions change, and a failed version replaces no other."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from assay.deployment import LocalTarget
from assay.deployment.local_settings import LocalSettings
from assay.deployment.target import FailedDeploymentError
from assay.errors import InputError
from assay.serving import ask

ROOT = Path(__file__).resolve().parents[3]
BODY = {"documents": [{"id": "a", "text": "Plants turn light into sugar; this is called photosynthesis."}]}


class Load:
    """Clients that send requests repeatedly. Half of them keep their connection if they may."""

    def __init__(self, target: LocalTarget, clients: int = 4) -> None:
        self.url, self.answers, self.failures = target.url, [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number % 2 == 0,)) for number in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for(self, more: int) -> None:
        """Wait for `more` further answers."""
        now = len(self.answers)
        wait_until(lambda: len(self.answers) >= now + more or bool(self.failures))

    def _send(self, keep: bool) -> None:
        connection = None
        while not self._stop.is_set():
            try:
                connection = connection if keep and connection else http.client.HTTPConnection(self.url[7:], timeout=60)
                connection.request("POST", "/score", json.dumps(BODY), {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status == 200:
                    self.answers.append(answer[0]["model"]["version"])
                    time.sleep(0.03)  # servers that start need the processor, too
                else:
                    self.failures.append((response.status, answer))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(error)
                connection = None


@pytest.mark.full
def test_versions_follow_each_other_under_load_and_no_request_is_lost(versions, local) -> None:
    target = local()
    first = target.deploy(versions.first)
    assert (first.version, first.previous, first.changed, first.where) == (versions.first, "", True, target.url)
    assert target.status().state == "serving"
    assert ask(target.url, "/readyz") == (200, {"state": "ready", "version": versions.first})

    with Load(target) as load:
        load.wait_for(20)
        second = target.deploy(versions.second)
        load.wait_for(20)
        back = target.rollback()
        load.wait_for(20)

    assert load.failures == []
    assert set(load.answers) == {versions.first, versions.second}
    assert (second.version, second.previous) == (versions.second, versions.first)
    assert any("golden documents" in event for event in second.events)
    assert (back.version, back.previous, back.changed) == (versions.first, "", True)
    assert set(load.answers[-20:]) == {versions.first}
    again = target.rollback()
    assert (again.version, again.changed) == (versions.first, False), "a rollback is done once"


@pytest.mark.full
def test_a_version_that_fails_its_check_is_ended_and_the_old_one_serves(versions, local) -> None:
    target = local()
    with pytest.raises(FailedDeploymentError, match=r"nothing is served: .*golden documents") as failed:
        target.deploy(versions.bad)
    assert failed.value.serving == ""
    assert target.status().state == "nothing"
    with pytest.raises(OSError):  # the port is free again
        ask(target.url, "/readyz")
    with pytest.raises(InputError, match="no version to roll back to"):
        target.rollback()

    target.deploy(versions.first)
    with Load(target) as load:
        with pytest.raises(FailedDeploymentError, match=f"{versions.first} still serves") as failed:
            target.deploy(versions.bad)
        time.sleep(0.5)
    assert load.failures == []
    assert (failed.value.version, failed.value.serving) == (versions.bad, versions.first)
    assert target.status().version == versions.first
    assert target.rollback().changed is False, "it was restored already"
    assert target.deploy(versions.first).changed is False
    assert servers(target) == 1


def wait_until(reached: Callable[[], bool], within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def servers(target: LocalTarget) -> int:
    """Return the number of `bentoml serve` processes of this target, without their workers."""
    folder, found = str(target._folder / "bentos"), 0
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        found += "bentoml" in command and any(part.startswith(folder) for part in command)
    return found


def state(target: LocalTarget) -> dict:
    return json.loads((target._folder / "serving.json").read_text())


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=10)


def worker(target: LocalTarget) -> int:
    """Return the process that holds the model."""
    folder = str(target._folder / "bentos")
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "_bentoml_impl.worker.service" in command and any(part.startswith(folder) for part in command):
            return process.pid
    return 0


@pytest.mark.full
def test_dead_processes_are_started_again_and_a_deployment_does_the_same(versions, local) -> None:
    target = local()
    target.deploy(versions.first)
    for find in (lambda: worker(target), lambda: state(target)["server"]["process"]["pid"]):
        runner = state(target)["server"]["process"]
        killed(find())
        wait_until(lambda before=runner: state(target)["server"]["process"] != before, 120)
        wait_until(lambda: target.status().state == "serving", 120)
        assert ask(target.url, "/score", BODY)[1][0]["model"]["version"] == versions.first
        wait_until(lambda: servers(target) == 1)
    killed(json.loads((target._folder / "front.json").read_text())["process"]["pid"])
    wait_until(lambda: target.status().state == "serving")

    killed(json.loads((target._folder / "keeper.json").read_text())["process"]["pid"])
    assert "nothing would start it again" in target.status().words
    killed(state(target)["server"]["process"]["pid"])
    down = target.status()
    assert (down.state, down.version) == ("down", "")
    assert f"the server of {versions.first} has ended; `deploy" in down.words
    wait_until(lambda: servers(target) == 0)  # its server checks its owner every second
    assert ask(target.url, "/readyz")[0] == 503

    assert target.deploy(versions.first).changed is True
    assert target.status().state == "serving"
    assert "start it again" not in target.status().words

    # The old files, but another process has the process id now: it must not be ended.
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        fields = state(target)
        real = fields["server"]["process"]
        fields["server"]["process"] = {"pid": bystander.pid, "started": real["started"]}
        (target._folder / "serving.json").write_text(json.dumps(fields))
        assert target.status().state == "down"
        target.deploy(versions.first)
        assert bystander.poll() is None
        assert servers(target) == 1, "the real server, which the file no longer named, was ended"
    finally:
        bystander.kill()
        bystander.wait()


KILLED = """
import os, sys
from pathlib import Path
from assay.deployment import local_servers, route
from assay.deployment.local import LocalTarget
from assay.deployment.local_settings import LocalSettings

moment = sys.argv[5]
if moment == "checked":  # traffic has not moved
    local_servers.check_running = lambda *_, **__: os._exit(9)
else:  # traffic has moved, the old server still runs
    route.FrontRecord.wait_left = lambda *_: os._exit(9)
LocalTarget(LocalSettings(Path(sys.argv[1]), sys.argv[2], port=int(sys.argv[3]))).deploy(sys.argv[4])
"""


@pytest.mark.full
@pytest.mark.parametrize("moment", ["checked", "moved"])
def test_a_killed_deployment_loses_no_request_and_is_completed_by_the_same_command(
    versions, local, moment: str
) -> None:
    target = local()
    target.deploy(versions.first)
    settings = target._settings
    arguments = [str(settings.folder), settings.registry, str(settings.port), versions.second, moment]
    with Load(target) as load:
        load.wait_for(20)
        run = subprocess.run([sys.executable, "-c", KILLED, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)})

        assert run.returncode == 9
        # Before it moved the requests its server ends with it; after that the keeper ends the old one.
        wait_until(lambda: servers(target) == 1)
        serving = versions.first if moment == "checked" else versions.second
        assert target.status().version == serving, "a version serves whenever a deployment dies"

        done = target.deploy(versions.second)
        load.wait_for(20)
    assert load.failures == []
    assert set(load.answers[-20:]) == {versions.second}
    assert done.changed is (moment == "checked")
    assert (done.version, done.previous) == (versions.second, versions.first)
    assert target.status().version == versions.second
    assert servers(target) == 1


@pytest.mark.full
def test_a_deployment_without_tokens_does_not_open_a_service_with_tokens(
    versions, local, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, token = local(), "a-token-of-the-clients"
    monkeypatch.setenv("ASSAY_SERVE_TOKENS", token)
    target.deploy(versions.first)
    assert ask(target.url, "/score", BODY)[0] == 401
    assert ask(target.url, "/score", BODY, token=token)[0] == 200
    written = [file.read_text(errors="replace") for file in target._folder.rglob("*.json")]
    assert not any(token in text for text in written)

    monkeypatch.delenv("ASSAY_SERVE_TOKENS")
    with pytest.raises(InputError, match="the serving version requires a token, and the new one would not"):
        target.deploy(versions.second)
    assert target.status().version == versions.first


def test_only_one_deployment_runs_at_a_time(versions, local) -> None:
    target = local()
    entered, go = threading.Event(), threading.Event()

    def hold() -> None:
        with local()._alone():
            entered.set()
            go.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    assert entered.wait(60)
    try:
        for call in (lambda: target.deploy(versions.first), target.rollback, target.stop):
            with pytest.raises(InputError, match="another deployment is running"):
                call()
        assert target.status().state == "nothing", "the status can be read meanwhile"
    finally:
        go.set()
        other.join()


def test_bad_requests_are_refused_before_any_process_starts(versions, local, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no version 'nothing-like-it'"):
        local().deploy("nothing-like-it")
    with pytest.raises(InputError, match="there is no port 70000"):
        LocalSettings(tmp_path, versions.registry, port=70_000)
    with pytest.raises(InputError, match="no version to roll back to"):
        local().rollback()
    assert local().status().words == "nothing is served"


def test_a_port_in_use_is_reported_before_any_server_starts(versions, local) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        target = local(port=other.getsockname()[1])
        with pytest.raises(FailedDeploymentError, match=r"port \d+ cannot be used: .*address already in use"):
            target.deploy(versions.first)
    assert servers(target) == 0
    assert target.status().state == "nothing"
    assert not list((target._folder / "servers").glob("*.json"))
