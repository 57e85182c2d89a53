"""What ends is started again: by the real keeper, as a process, with a stand-in for the command that serves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from assay.deployment import front, keeper
from assay.deployment.identity import Identity, Server
from assay.deployment.keeping import KeeperRecord, end_keeper, start_keeper
from assay.deployment.local import LocalTarget
from assay.deployment.local_settings import LocalSettings
from assay.deployment.route import FrontRecord, Route
from assay.deployment.runner import HANDED_OVER
from assay.deployment.target import History

ROOT = Path(__file__).resolve().parents[3]
DEAD = Identity(2**22 + 1, 1.0)
ATTEMPT = (
    "import sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic()}\\n'); time.sleep(float(sys.argv[2])); 1 / 0"
)
"""A command that fails, and tells when it ran."""


def until(reached: Callable[[], object], within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def route(folder: Path, process: Identity, port: int = 1) -> None:
    Route(History(("v",)), Server(process, "v", port, False, "ready")).write(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Route(History(("v",)), None).write(tmp_path)
    end_keeper(tmp_path)
    if found := FrontRecord.read(tmp_path):
        found.process.end(10)


def keep(folder: Path, seconds: float = 0.0) -> Callable[[], list[float]]:
    """Start a keeper whose command fails after some seconds. Return what reads the times of its attempts."""
    times = folder / "times"
    times.touch()
    start_keeper(folder, [sys.executable, "-c", ATTEMPT, str(times), str(seconds)], os.environ)
    until(lambda: KeeperRecord.read(folder))
    return lambda: [float(line) for line in times.read_text().splitlines()]


def test_a_front_that_was_killed_serves_again_at_its_address(folder: Path, port: int) -> None:
    route(folder, Identity.own())
    with subprocess.Popen([sys.executable, "-I", front.__file__, str(folder), "127.0.0.1", str(port)]) as first:
        until(lambda: FrontRecord.read(folder))
        attempts = keep(folder)
        first.kill()
    until(lambda: FrontRecord.read(folder))

    found = FrontRecord.read(folder)
    assert found and (found.port, found.host) == (port, "127.0.0.1")
    assert found.process.pid != first.pid
    assert attempts() == [], "the server lives: no version is served anew"
    log = (folder / "keeper.log").read_text()
    assert "the process at the public port has ended; started again" in log

    Route(History(("v",)), None).write(folder)
    until(lambda: KeeperRecord.read(folder) is None)


@pytest.mark.full
def test_a_server_that_cannot_start_is_tried_again_after_longer_and_longer_pauses(folder: Path) -> None:
    route(folder, DEAD)
    attempts = keep(folder)

    until(lambda: len(attempts()) == 3)
    first, second, third = attempts()
    assert 0.9 < second - first < third - second
    assert "the server of v has ended" in (folder / "keeper.log").read_text()


def test_an_attempt_gives_way_to_a_deployment(folder: Path) -> None:
    route(folder, DEAD)
    attempts = keep(folder, seconds=600)
    until(attempts)
    found = KeeperRecord.read(folder)
    assert found
    (attempt,) = psutil.Process(found.process.pid).children()

    with LocalTarget(LocalSettings(folder, "", port=1))._alone():
        found.interrupt()
        until(lambda: not attempt.is_running())
        time.sleep(2.5)
        assert len(attempts()) == 1, "while a deployment has the folder, none is made"
    until(lambda: len(attempts()) == 2)


def test_another_keeper_replaces_the_first_unless_it_runs_in_the_foreground(folder: Path) -> None:
    route(folder, Identity.own())
    (folder / front.RECORD).write_text(json.dumps({"host": "x", "port": 1, "process": vars(Identity.own())}))
    keep(folder)
    first = KeeperRecord.read(folder)
    keep(folder)
    until(lambda: KeeperRecord.read(folder) not in (first, None))
    assert first and not first.process.alive
    end_keeper(folder)

    (folder / front.RECORD).unlink()
    done = folder / "done"
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ')"
    command = [sys.executable, "-I", keeper.__file__, str(folder), "--foreground", "--"]
    Route(History(("v",)), None).write(folder)
    with subprocess.Popen([*command, sys.executable, "-c", script, str(done), "restore"]) as process:
        until(lambda: done.exists() and done.read_text() == "restore ")
        start_keeper(folder, ["false"], os.environ)
        end_keeper(folder)
        found = KeeperRecord.read(folder)
        assert found and found.foreground and found.process.pid == process.pid
        time.sleep(1.2)
        assert process.poll() is None, "it waits for the next deployment"
        process.terminate()
    assert done.read_text() == "restore stop "


def test_large_logs_are_moved_while_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "servers").mkdir()
    log = tmp_path / "servers" / "7.log"
    with log.open("ab") as writer:
        writer.write(b"x" * 101)
        writer.flush()
        keeper.rotate_logs(tmp_path, most=100)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "servers" / "7.log.1").read_bytes() == b"x" * 101


@pytest.mark.parametrize("end", ["killed", "handed over", "moved"])
def test_a_server_ends_with_a_deployment_that_was_killed_before_it_handed_over(tmp_path: Path, end: str) -> None:
    code = (
        "import sys, time; from pathlib import Path; from assay.deployment.runner import end_unless_handed_over;"
        "end_unless_handed_over(Path(sys.argv[1])); print('up', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "servers")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == b"up\n"
        if end == "moved":
            route(tmp_path, Identity(process.pid, psutil.Process(process.pid).create_time()))
        if end == "handed over":
            process.stdin.write(HANDED_OVER)
        process.stdin.close()  # as the kernel does for a process that was killed
        try:
            ended = process.wait(60 if end == "killed" else 1.5)
        except subprocess.TimeoutExpired:
            ended = None
        process.kill()
    assert ended == (-signal.SIGTERM if end == "killed" else None)
