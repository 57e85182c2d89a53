"""A registry with two versions that serve and one that does not: real ones, tiny, made once."""

import json
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from cluster_stand_in import StandIn

from assay.deployment import LocalSettings, LocalTarget
from assay.inference import Scorer, write_golden
from assay.model import Calibration, ModelInfo, Windows, new_model, save_model
from assay.registry import Registry
from assay.rubric import load_rubric


def make_model(folder: Path, encoder: Path, sample: list[dict], *, seed: int) -> Path:
    """Untrained, calibrated to whatever it says: all parts, no quality."""
    folder.mkdir()
    info = ModelInfo(str(encoder), load_rubric("education"), Windows(24, 3))
    scorer = Scorer(new_model(info, seed=seed), device="cpu")
    with torch.no_grad():  # as it comes, it says nearly the same of every text
        for weights in scorer.model.network.parameters():
            weights.mul_(8 if weights.ndim == 2 else 1)
    texts, labels = [row["text"] for row in sample[:60]], [float(row["label"]) for row in sample[:60]]
    rubric = info.rubric
    scores = scorer.read(texts).score
    calibration = Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)
    scorer.model.info = ModelInfo("tiny", rubric, info.windows, languages=("en",), calibration=calibration)
    save_model(scorer.model, folder)
    write_golden(scorer, [row["id"] for row in sample[:60]], texts, folder)
    return folder


@dataclass(frozen=True)
class Versions:
    """Names in the registry."""

    registry: str
    first: str
    second: str
    bad: str
    """Its golden documents have other scores than it gives."""


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: list[dict]) -> Versions:
    folder = tmp_path_factory.mktemp("versions")
    first = make_model(folder / "first", tiny_encoder, sample, seed=0)
    second = make_model(folder / "second", tiny_encoder, sample, seed=1)
    bad = shutil.copytree(first, folder / "bad")
    rows = [json.loads(line) for line in (bad / "golden.jsonl").read_text().splitlines()]
    rows[3]["score"] += 0.5
    (bad / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    registry = Registry(str(folder / "registry"))
    return Versions(registry.url, *(registry.register(model, {}).name for model in (first, second, bad)))


@pytest.fixture
def local(
    tmp_path: Path, versions: Versions, port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., LocalTarget]]:
    """Makes targets of one folder and one free port; what they started is gone afterwards."""
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
def port() -> int:
    """A free one, below those that systems give to outgoing connections."""
    while True:
        found = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", found)):
                return found


@pytest.fixture
def cluster() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    made.close()


@pytest.fixture
def kubeconfig(cluster: StandIn, tmp_path: Path) -> Path:
    """The way to the stand-in."""
    file = tmp_path / "kubeconfig"
    fields = {
        "clusters": [{"name": "here", "cluster": {"server": cluster.url}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "test",
    }
    file.write_text(yaml.safe_dump(fields))
    return file
