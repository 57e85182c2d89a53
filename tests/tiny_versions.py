"""A registry with two versions that serve and one that does not: real ones, tiny, made once; and a port for them."""

import json
import random
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from once import made_once

if TYPE_CHECKING:
    from assay.registry import Registry


def make_model(folder: Path, encoder: Path, sample: list[dict], *, seed: int) -> Path:
    """Untrained, calibrated to whatever it says: all parts, no quality."""
    import pandas as pd
    import torch

    from assay.dedup import text_digest
    from assay.inference import Scorer, write_golden
    from assay.model import Calibration, ModelInfo, Windows, new_model, save_model
    from assay.rubric import load_rubric

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
    seen = pd.DataFrame({"digest": [text_digest(text) for text in texts], "part": "calibration"})
    seen.to_parquet(folder / "seen.parquet", index=False)
    return folder


def lexical_model(folder: Path, sample: list[dict], words: int) -> Path:
    """A calibrated lexical model of the first `words` words, made in a second."""
    from dataclasses import replace

    import numpy as np

    from assay.inference import Scorer, write_golden
    from assay.model import Calibration, ModelInfo, Windows, save_model
    from assay.rubric import load_rubric
    from assay.training.lexical import fit_lexical

    texts, labels = [row["text"] for row in sample], np.array([float(row["label"]) for row in sample])
    rubric = load_rubric("education")
    model = fit_lexical(texts, labels, ModelInfo("", rubric, Windows(words), kind="lexical")).model
    scores = Scorer(model).read(texts).score
    calibration = Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)
    model.info = replace(model.info, calibration=calibration)
    folder.mkdir(parents=True)
    save_model(model, folder)
    write_golden(Scorer(model), [row["id"] for row in sample], texts, folder)
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
    def make(folder: Path) -> None:
        from assay.registry import Registry

        first = make_model(folder / "first", tiny_encoder, sample, seed=0)
        second = make_model(folder / "second", tiny_encoder, sample, seed=1)
        bad = shutil.copytree(first, folder / "bad")
        rows = [json.loads(line) for line in (bad / "golden.jsonl").read_text().splitlines()]
        rows[3]["score"] += 0.5
        (bad / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        registry = Registry(str(folder / "registry"))
        names = [registry.register(model, {}).name for model in (first, second, bad)]
        (folder / "names.json").write_text(json.dumps([registry.url, *names]))

    return Versions(*json.loads((made_once(tmp_path_factory, "versions", make) / "names.json").read_text()))


def registry_of(versions: Versions, folder: Path) -> "Registry":
    """A copy of the registry in which nothing is champion yet, for a test that moves it."""
    from assay.registry import Registry

    shutil.copytree(versions.registry, folder / "registry", ignore=shutil.ignore_patterns("aliases", "decisions"))
    return Registry(str(folder / "registry"))


def free_port() -> int:
    """One below those that systems give to outgoing connections."""
    while True:
        found = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", found)):
                return found


@pytest.fixture
def port() -> int:
    return free_port()
