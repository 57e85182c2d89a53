"""Targets of this machine and of a stand-in for a cluster. They serve real, tiny versions."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from cluster_stand_in import StandIn
from tiny_versions import Versions

from assay.deployment import LocalTarget
from assay.deployment.local_settings import LocalSettings


@pytest.fixture
def local(
    tmp_path: Path, versions: Versions, port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., LocalTarget]]:
    """Makes targets of one folder and one free port. Afterwards all processes that they started must have ended."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = {process.pid for process in psutil.process_iter()}
    made: list[LocalTarget] = []

    def make(**settings: object) -> LocalTarget:
        given = {"folder": tmp_path / "deployment", "registry": versions.registry, "port": port, **settings}
        made.append(LocalTarget(LocalSettings(**given)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for target in made[:1]:
        target.stop()
    deadline = time.monotonic() + 30
    while left := [
        process.info
        for process in psutil.process_iter(["pid", "cmdline"])
        if process.pid not in before and str(tmp_path) in " ".join(process.info["cmdline"] or [])
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.fixture
def cluster() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    made.close()


@pytest.fixture
def kubeconfig(cluster: StandIn, tmp_path: Path) -> Path:
    """A kubeconfig for the stand-in."""
    file = tmp_path / "kubeconfig"
    fields = {
        "clusters": [{"name": "here", "cluster": {"server": cluster.url}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "test",
    }
    file.write_text(yaml.safe_dump(fields))
    return file
