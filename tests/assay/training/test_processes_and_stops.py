"""Training: the same curve in one process and in two, and after a killed run is resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from curves import curve, info_of

from assay.training import TrainConfig, launch
from assay.training.checkpoint import Checkpoint
from assay.training.config import LossName
from assay.training.loop import fit
from assay.training.plan import steps_per_epoch


# Not for every commit: below a run of two processes, one of which dies, is compared with the curve of one process.
@pytest.mark.full
@pytest.mark.parametrize("loss", ["regression", "ordinal"])
def test_one_process_and_two_give_the_same_curve(
    loss: LossName, labelled: tuple[list[str], np.ndarray], config: TrainConfig
) -> None:
    config = replace(config, loss=loss)
    alone = curve(*labelled, config)

    together = launch(2, curve, *labelled, config)

    assert len(alone) == 2 * steps_per_epoch(60, 9)
    np.testing.assert_allclose(together, alone, rtol=2e-4)


KILLED = """
import json, os, sys, numpy as np, torch
from pathlib import Path
from assay.model import ModelInfo, Windows
from assay.rubric import load_rubric
from assay.training import TrainConfig
from assay.training.checkpoint import Checkpoint
from assay.training.loop import fit
from transformers import BertForSequenceClassification, BertTokenizerFast
torch.set_num_threads(1)
rows = [json.loads(line) for line in open("data/sample/documents.jsonl")][:60]
config = TrainConfig(encoder=sys.argv[1], windows=Windows(tokens=48), epochs=4, batch_documents=8,
                     learning_rate=2e-3, checkpoint_updates=2)

def say(words):
    os.write(1, f"{os.getpid()} {words}\\n".encode())

def train(checkpoint, weights):
    fitted = fit([row["text"] for row in rows], np.array([row["label"] for row in rows], float),
                 ModelInfo(config.encoder, load_rubric("education"), config.windows), config,
                 checkpoint=Checkpoint(Path(checkpoint), "this run"), on_update=lambda record: say(int(record["step"])))
    torch.save({k: v for k, v in fitted.model.network.state_dict().items()}, weights)
    say(f"resumed at {fitted.resumed_at} updates {len(fitted.history)}")

for line in sys.stdin:  # each in a process of its own, forked from one that has computed nothing
    pid = os.fork()
    if pid == 0:
        train(*json.loads(line))
        os._exit(0)
    say(f"ended {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")
"""


@pytest.fixture
def trainer(tiny_encoder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that trains in a fork for each line that it reads: checkpoint and weights."""
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tiny_encoder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        yield process


def train(
    trainer: subprocess.Popen[str], checkpoint: Path, weights: Path, stop_after: int | None = None
) -> tuple[str, int]:
    """Return the last line and the exit status. Kill the fork after update `stop_after`."""
    assert trainer.stdin is not None
    assert trainer.stdout is not None
    trainer.stdin.write(json.dumps([str(checkpoint), str(weights)]) + "\n")
    trainer.stdin.flush()
    last = ""
    for line in trainer.stdout:
        pid, words = line.strip().split(" ", 1)
        if words.startswith("ended"):
            return last, int(words.split()[1])
        if words == str(stop_after):
            os.kill(int(pid), signal.SIGKILL)
        last = words
    raise AssertionError(f"the process that trains has ended: {last}")


def test_a_killed_run_resumes_and_ends_with_the_same_weights(trainer: subprocess.Popen[str], tmp_path: Path) -> None:
    assert train(trainer, tmp_path / "a.pt", tmp_path / "a.weights") == ("resumed at 0 updates 32", 0)

    for stop_after in (5, 20):
        _, status = train(trainer, tmp_path / "b.pt", tmp_path / "b.weights", stop_after)
        assert status == -signal.SIGKILL
        assert not (tmp_path / "b.weights").exists()
    last, status = train(trainer, tmp_path / "b.pt", tmp_path / "b.weights")

    assert status == 0
    resumed = int(last.split("resumed at ")[1].split()[0])
    assert 18 <= resumed <= 22
    assert "updates 32" in last
    expected, found = torch.load(tmp_path / "a.weights"), torch.load(tmp_path / "b.weights")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.full
def test_a_dead_worker_is_replaced_and_the_run_resumes(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig, tmp_path: Path
) -> None:
    expected = curve(*labelled, config)

    found = launch(2, _dies_once, *labelled, config, tmp_path)

    assert len(expected) == 2 * steps_per_epoch(60, 9)
    assert (tmp_path / "died").exists()
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def _dies_once(texts: list[str], labels: np.ndarray, config: TrainConfig, folder: Path) -> list[tuple[float, float]]:
    def die(record: dict[str, float]) -> None:
        if record["step"] == 7 and not (folder / "died").exists():
            (folder / "died").touch()
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint = Checkpoint(folder / "checkpoint.pt", "this run")
    fitted = fit(texts, labels, info_of(config), config, weights=1 + labels, checkpoint=checkpoint, on_update=die)
    return [(record["loss"], record["gradient_norm"]) for record in fitted.history]


def test_the_checkpoint_of_another_run_and_a_damaged_one_are_ignored(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    fit(*labelled, info_of(config), config, checkpoint=Checkpoint(path, "one"))
    assert Checkpoint(path, "one").load() is not None

    assert Checkpoint(path, "another").load() is None
    path.write_bytes(path.read_bytes()[:1000])
    assert Checkpoint(path, "one").load() is None
