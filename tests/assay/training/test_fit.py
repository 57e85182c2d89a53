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
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inference import Scorer
from assay.model import ModelInfo, Windows, load_model, new_model, save_model
from assay.rubric import load_rubric
from assay.training import Checkpoint, TrainConfig, fit, launch, recipe
from assay.training.losses import LossName, Ordinal, make_loss
from assay.training.plan import batch_of, share_of, steps_per_epoch, updates_of


@pytest.fixture
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(
        encoder=str(tiny_encoder),
        windows=Windows(tokens=48, count=2),
        epochs=2,
        batch_documents=9,  # does not divide by two: the processes' shares differ in size
        batch_tokens=200,  # several accumulated pieces an update, of different sizes
        learning_rate=2e-3,
        checkpoint_updates=3,
    )


@pytest.fixture
def labelled(sample: list[dict]) -> tuple[list[str], np.ndarray]:
    rows = sample[:60]
    return [row["text"] for row in rows], np.array([row["label"] for row in rows], dtype=float)


def info_of(config: TrainConfig) -> ModelInfo:
    return ModelInfo(config.encoder, load_rubric("education"), config.windows)


def curve(texts: list[str], labels: np.ndarray, config: TrainConfig) -> list[tuple[float, float]]:
    """Loss and gradient norm of every update; at module level, so that worker processes can find it."""
    fitted = fit(texts, labels, info_of(config), config, weights=1 + labels)
    return [(record["loss"], record["gradient_norm"]) for record in fitted.history]


@pytest.mark.parametrize("loss", ["regression", pytest.param("ordinal", marks=pytest.mark.full)])
def test_one_process_and_two_give_the_same_curve(
    loss: LossName, labelled: tuple[list[str], np.ndarray], config: TrainConfig
) -> None:
    config = replace(config, loss=loss)
    alone = curve(*labelled, config)

    together = launch(2, curve, *labelled, config)

    assert len(alone) == 2 * steps_per_epoch(60, 9)
    np.testing.assert_allclose(together, alone, rtol=2e-4)


@pytest.mark.parametrize("loss", ["ordinal", "binary"])
def test_cuts_are_trained_and_the_score_is_on_the_scale_of_the_labels(
    loss: LossName, labelled: tuple[list[str], np.ndarray], config: TrainConfig, tmp_path: Path
) -> None:
    texts, labels = labelled
    # A mean of raters lies between two levels; a level may be missing.
    labels = np.where(labels == 2, 2.5, labels)
    fitted = fit(texts, labels, info_of(config), replace(config, loss=loss, epochs=25))

    scores = Scorer(fitted.model).score(texts)["score"].to_numpy()
    if loss == "ordinal":
        assert np.corrcoef(scores, labels)[0, 1] > 0.8
    reaches = labels >= 3
    assert np.mean(scores[reaches][:, None] > scores[~reaches][None, :]) > 0.9
    assert labels.min() - 2 < scores.min() < scores.max() < labels.max() + 2
    save_model(fitted.model, tmp_path)
    np.testing.assert_allclose(Scorer(load_model(tmp_path)).score(texts)["score"], scores, atol=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=40).filter(lambda labels: len(set(labels)) > 1))
def test_the_best_output_for_labels_alone_gives_the_share_that_reaches_each_level(labels: list[int]) -> None:
    given_labels = np.array(labels, float)
    loss = make_loss("ordinal", given_labels, 3)
    assert isinstance(loss, Ordinal)
    shares = torch.sigmoid(-loss.cuts).detach().numpy()
    expected = [(given_labels >= level).mean() for level in np.unique(given_labels)[1:]]
    np.testing.assert_allclose(shares, expected, atol=1e-5 + 0.5 / len(labels))
    slope, shift = loss.scale()
    assert slope > 0
    cuts = loss.cuts.detach().numpy() * slope + shift
    assert given_labels.min() < cuts.min()
    assert cuts.max() < given_labels.max()


@pytest.mark.parametrize(("layers", "expected"), [(0, 0), (1, 1), (2, 2), (None, 3)])
def test_only_the_last_layers_are_trained(
    layers: int | None, expected: int, labelled: tuple[list[str], np.ndarray], config: TrainConfig
) -> None:
    texts, labels = labelled
    before = new_model(info_of(config), seed=0).network.state_dict()
    fitted = fit(texts[:20], labels[:20], info_of(config), replace(config, trained_layers=layers, epochs=1))

    after = fitted.model.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    parts = {name.split(".attention")[0].split(".intermediate")[0].split(".output")[0] for name in changed}
    stack = {name for name in parts if name.startswith("bert.encoder.layer.") and name.count(".") == 3}
    assert stack == {f"bert.encoder.layer.{number}" for number in range(2 - min(expected, 2), 2)}
    assert any(name.startswith("classifier") for name in changed)
    assert any(name.startswith("bert.pooler") for name in changed)
    assert any(name.startswith("bert.embeddings") for name in changed) == (layers is None)
    assert all(parameter.requires_grad for parameter in fitted.model.network.parameters())


def test_too_many_layers_and_labels_on_one_side_are_refused(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig
) -> None:
    texts, labels = labelled
    with pytest.raises(InputError, match="trained_layers is 3, but this encoder has 2"):
        fit(texts, labels, info_of(config), replace(config, trained_layers=3))
    with pytest.raises(InputError, match="no labels reach the threshold 3"):
        fit(texts, np.minimum(labels, 2), info_of(config), replace(config, loss="binary"))
    with pytest.raises(InputError, match="loss is 'hinge'"):
        replace(config, loss="hinge")  # type: ignore[arg-type]


def test_training_learns_and_scores_are_on_the_scale_of_the_labels(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig, tmp_path: Path
) -> None:
    texts, labels = labelled
    for scale, shift in ((1, 0), (100, -50)):
        fitted = fit(texts, labels * scale + shift, info_of(config), replace(config, epochs=25))

        scores = Scorer(fitted.model).score(texts)["score"].to_numpy()
        assert np.corrcoef(scores, labels)[0, 1] > 0.8
        assert abs(scores.mean() - (labels.mean() * scale + shift)) < 0.5 * scale

    save_model(fitted.model, tmp_path)
    np.testing.assert_allclose(Scorer(load_model(tmp_path)).score(texts)["score"], scores, atol=1e-3)


def test_padding_and_pieces_do_not_change_the_result(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig
) -> None:
    whole = curve(*labelled, replace(config, batch_tokens=100_000))

    np.testing.assert_allclose(curve(*labelled, config), whole, rtol=2e-4)


KILLED = """
import json, os, sys, numpy as np, torch
from pathlib import Path
from assay.model import ModelInfo, Windows
from assay.rubric import load_rubric
from assay.training import Checkpoint, TrainConfig, fit
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


def test_a_dead_worker_is_replaced_and_the_run_resumes(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig, tmp_path: Path
) -> None:
    expected = curve(*labelled, config)

    found = launch(2, _dies_once, *labelled, config, tmp_path)

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


def test_equal_labels_and_invalid_settings_are_refused(
    labelled: tuple[list[str], np.ndarray], config: TrainConfig
) -> None:
    with pytest.raises(InputError, match="different labels"):
        fit(labelled[0], np.ones(60), info_of(config), config)
    with pytest.raises(InputError, match="learning_rate"):
        TrainConfig(learning_rate=0)
    with pytest.raises(InputError, match="warmup"):
        TrainConfig(warmup=2)
    with pytest.raises(InputError, match="no recipe"):
        recipe("nothing")
    with pytest.raises(InputError, match="reads 128"):
        long = replace(config, windows=Windows(tokens=512))
        fit(*labelled, info_of(long), long)


def test_every_epoch_has_every_document_once_divided_among_the_processes() -> None:
    lengths = list(range(100, 147))
    for processes in (1, 2, 3):
        for epoch in range(3):
            seen = []
            for step in range(epoch * 6, (epoch + 1) * 6):
                batch = batch_of(step, 47, 8, seed=1)
                shares = [share_of(rank, processes, batch, lengths) for rank in range(processes)]
                assert sorted(np.concatenate(shares)) == sorted(batch)
                seen += batch.tolist()
            assert sorted(seen) == list(range(47))
    assert batch_of(0, 47, 8, 1).tolist() != batch_of(6, 47, 8, 1).tolist()


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 5), st.integers(0, 400))
def test_passes_are_added_until_the_least_updates_are_reached(
    documents: int, batch: int, epochs: int, least: int
) -> None:
    updates, steps = updates_of(documents, batch, epochs, least), steps_per_epoch(documents, batch)

    assert updates % steps == 0
    assert updates >= max(epochs * steps, least)
    assert updates == epochs * steps or updates - steps < least
