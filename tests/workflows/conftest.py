"""What is registered, compiled once for all files of these tests, and a stand-in for Flyte that runs it."""

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiled import CODE, Registered, compile_package, read_package
from once import made_once
from pods import BUCKET, FOLDER, Pods, Store
from propeller import Propeller
from tiny_versions import free_port


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """Everything that registration sends, by the profile `cpu`, and the code that it ships."""
    folder = made_once(tmp_path_factory, "package", compile_package)
    return Registered(read_package(folder), folder)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, registered: Registered) -> Iterator[Store]:
    """A moto server, a process of its own, with the code that registration uploads."""
    with (tmp_path_factory.mktemp("moto") / "log").open("w") as log:
        port = free_port()
        command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        made, deadline = Store(f"http://127.0.0.1:{port}", BUCKET), time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(made.endpoint, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        made.files.mkdir(BUCKET)
        made.write(f"s3://{BUCKET}/{CODE}", registered.code)
        yield made
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def propeller(registered: Registered, store: Store, tmp_path: Path) -> Iterator[Propeller]:
    """Flyte, whose configuration names the lasting places, and an image that holds a tiny encoder."""
    places = {name: f"{FOLDER}/{tmp_path.name}/{name.lower()}" for name in ("REGISTRY", "LEDGER", "SCORES", "LOOKS")}
    variables = {f"ASSAY_{name}": place for name, place in places.items()}
    pods = Pods(tmp_path / "pods", store, f"s3://{BUCKET}/{CODE}", variables)
    yield Propeller(registered.specs, pods)
    for left in (tmp_path / "pods").glob("*"):
        shutil.rmtree(left)
