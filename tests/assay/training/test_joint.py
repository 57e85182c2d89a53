"""Several rubrics trained together: missing labels have no effect, and two processes give the result of one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inference import Scorer
from assay.model import Aspect, ModelInfo, Windows
from assay.rubric import Rubric, load_rubric
from assay.training import TrainConfig, launch
from assay.training.checkpoint import Checkpoint
from assay.training.config import LossName
from assay.training.joint import JointLoss, batch_weight, relative_weights, shares
from assay.training.loop import fit
from assay.training.plan import batch_of, joint_weights, steps_per_epoch

LENGTH = Rubric("length", 0, 40, 20)
NONE = float("nan")


@pytest.fixture
def settings_of(tiny_encoder: Path) -> TrainConfig:
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
def texts(sample: list[dict]) -> list[str]:
    return [row["text"] for row in sample[:60]]


@pytest.fixture
def labels(sample: list[dict]) -> np.ndarray:
    """Labels by two rubrics with different scales: some documents have both labels, most have one."""
    both = np.array([[row["label"], min(len(row["text"]) // 100, 40)] for row in sample[:60]], dtype=float)
    both[5:25, 1] = NONE
    both[25:50, 0] = NONE
    return both


def info_of(config: TrainConfig) -> ModelInfo:
    return ModelInfo(config.encoder, load_rubric("education"), config.windows, others=(Aspect(LENGTH),))


def curve(texts: list[str], labels: np.ndarray, config: TrainConfig) -> list[tuple[float, float]]:
    """Loss and gradient norm of every update; at module level, so that worker processes can find it."""
    return [
        (one["loss"], one["gradient_norm"])
        for one in fit(texts, labels, info_of(config), config, weights=1 + np.nan_to_num(labels)).history
    ]


@pytest.mark.full
@pytest.mark.parametrize("loss", ["regression", "ordinal"])
def test_one_process_and_two_give_the_same_curve(
    loss: LossName, texts: list[str], labels: np.ndarray, settings_of: TrainConfig
) -> None:
    config = replace(settings_of, loss=loss)

    together = launch(2, curve, texts, labels, config)

    np.testing.assert_allclose(together, curve(texts, labels, config), rtol=2e-4)


def test_pieces_do_not_change_the_result(texts: list[str], labels: np.ndarray, settings_of: TrainConfig) -> None:
    whole = curve(texts, labels, replace(settings_of, batch_tokens=100_000))

    np.testing.assert_allclose(curve(texts, labels, settings_of), whole, rtol=2e-4)


@pytest.mark.full
def test_rubrics_whose_labels_are_on_other_documents_are_both_learned(
    sample: list[dict], settings_of: TrainConfig
) -> None:
    texts = [row["text"] for row in sample[:120]]
    quality, length = (np.array([row["label"] for row in sample[:120]], float) for _ in range(2))
    length = np.array([min(len(text) // 100, 40) for text in texts], float)
    labels = np.stack([quality, length], axis=1)
    labels[:60, 1] = labels[60:, 0] = NONE

    fitted = fit(texts, labels, info_of(settings_of), replace(settings_of, epochs=25))

    assert np.isfinite([record["loss"] for record in fitted.history]).all()
    scores = Scorer(fitted.model).score(texts)
    assert np.corrcoef(scores["score"][:60], quality[:60])[0, 1] > 0.8
    assert np.corrcoef(scores["length_score"][60:], length[60:])[0, 1] > 0.8
    assert abs(scores["score"].mean() - quality.mean()) < 1, "each is on the scale of its own labels"
    assert abs(scores["length_score"].mean() - length.mean()) < 10


@pytest.mark.parametrize("loss", ["regression", "ordinal", "binary"])
def test_a_missing_label_has_no_gradient_whatever_replaces_it(
    loss: LossName, settings_of: TrainConfig, labels: np.ndarray
) -> None:
    criterion = JointLoss(loss, labels, info_of(settings_of))
    weights = torch.tensor(joint_weights(labels, None), dtype=torch.float32)
    rows = np.arange(len(labels))
    start = torch.randn(len(labels), 2, generator=torch.Generator().manual_seed(0))

    def gradients() -> list[torch.Tensor]:
        output = start.clone().requires_grad_()
        value = (criterion.errors(output, rows) * shares(weights, rows, rows, len(rows))).sum()
        return list(torch.autograd.grad(value, [output, *criterion.parameters()]))

    before = gradients()
    missing = torch.tensor(np.isnan(labels))
    for target, lacks in zip(criterion.target_RD, missing.T, strict=True):
        target[lacks] = 1e6
    after = gradients()

    assert all(torch.isfinite(gradient).all() for gradient in before)
    assert (before[0][missing] == 0).all()
    assert (before[0][~missing] != 0).any(dim=0)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4))
def test_the_shares_of_the_processes_sum_to_the_loss_of_the_batch(seed: int, rubrics: int, processes: int) -> None:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 4, (30, rubrics)).astype(float)
    labels[draw.random(labels.shape) < 0.7] = NONE
    labels[:2] = [[0.0] * rubrics, [1.0] * rubrics]
    each = draw.uniform(0.1, 3, labels.shape)
    weights = torch.tensor(joint_weights(labels, each), dtype=torch.float32)
    batch = draw.permutation(30)[:8]

    relative = relative_weights(weights)
    parts = [shares(relative, batch[rank::processes], batch, 8) for rank in range(processes)]

    assert all(torch.isfinite(part).all() for part in parts)
    together = torch.zeros(8, rubrics)
    for rank, part in enumerate(parts):
        together[rank::processes] = part
    torch.testing.assert_close(together, shares(relative, batch, batch, 8))
    known = np.where(np.isnan(labels), 0, each)
    np.testing.assert_allclose(weights, known, rtol=1e-6)
    mean = known.sum(0) / (known > 0).sum(0)
    labelled = (known[batch] > 0).sum(0)
    np.testing.assert_allclose(
        together.sum(0), known[batch].sum(0) / mean / np.maximum(labelled, 1) / rubrics, rtol=1e-4, atol=1e-6
    )
    even = torch.tensor(joint_weights(labels, None), dtype=torch.float32)
    assert torch.equal(relative_weights(even), even)
    np.testing.assert_allclose(shares(even, batch, batch, 8).sum(0), (labelled > 0) / rubrics, atol=1e-6)
    assert not labelled.any() or batch_weight(even, batch, 8) == 1.0


def epoch_gradients(weights: np.ndarray, documents: int, full: int) -> np.ndarray:
    """Sum of the gradients of one epoch with respect to the outputs of the documents, all of which have error 1."""
    relative = relative_weights(torch.tensor(weights[:, None], dtype=torch.float32))
    output = torch.zeros(documents, 1, requires_grad=True)
    for step in range(steps_per_epoch(documents, full)):
        batch = batch_of(step, documents, full, seed=3)
        (output[batch] * shares(relative, batch, batch, full)).sum().backward()
    assert output.grad is not None
    return output.grad.numpy()[:, 0]


def test_a_weight_counts_as_it_is_given_whatever_else_is_in_the_batch() -> None:
    # Given one document in ten of weight 50, and a last batch of one document.
    weights = np.where(np.arange(65) % 10 == 0, 50.0, 1.0)

    moved = epoch_gradients(weights, 65, 16)

    np.testing.assert_allclose(moved / moved[1], weights, rtol=1e-4)


def test_the_last_document_of_an_epoch_counts_as_much_as_the_others() -> None:
    moved = epoch_gradients(np.ones(65), 65, 16)  # by its own weights, the last batch would count 16-fold

    np.testing.assert_allclose(moved, 1 / 16, rtol=1e-6)


def test_the_loss_is_reported_per_weight() -> None:
    relative = relative_weights(torch.tensor(np.array([[1.0], [1.0], [50.0]]), dtype=torch.float32))
    batch = np.array([2])

    assert float(shares(relative, batch, batch, 2).sum()) / batch_weight(relative, batch, 2) == pytest.approx(1)


def test_a_resumed_run_ends_with_the_same_weights(
    texts: list[str], labels: np.ndarray, settings_of: TrainConfig, tmp_path: Path
) -> None:
    config = replace(settings_of, loss="ordinal")
    labels[:, 1] = np.floor(labels[:, 1] / 10)
    undisturbed = fit(texts, labels, info_of(config), config).model.network.state_dict()

    class StoppedError(Exception):
        pass

    def stop(record: dict[str, float]) -> None:
        if record["step"] == 7:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(texts, labels, info_of(config), config, checkpoint=Checkpoint(tmp_path / "c", "run"), on_update=stop)
    resumed = fit(texts, labels, info_of(config), config, checkpoint=Checkpoint(tmp_path / "c", "run"))

    assert resumed.resumed_at == 6
    found = resumed.model.network.state_dict()
    assert all(torch.equal(undisturbed[name], found[name]) for name in undisturbed)


def test_unusable_labels_are_refused(texts: list[str], labels: np.ndarray, settings_of: TrainConfig) -> None:
    info = info_of(settings_of)
    with pytest.raises(InputError, match=r"shape \(60, 1\) for 60 texts and 2 rubrics"):
        fit(texts, labels[:, 0], info, settings_of)
    with pytest.raises(InputError, match=r"shape \(60, 2\) for 59 texts"):
        fit(texts[1:], labels, info, settings_of)
    bare = labels.copy()
    bare[7] = NONE
    with pytest.raises(InputError, match=r"without a label.*document 7"):
        fit(texts, bare, info, settings_of)
    bare[7] = [np.inf, 3]
    with pytest.raises(InputError, match=r"with an infinite one.*document 7"):
        fit(texts, bare, info, settings_of)
    with pytest.raises(InputError, match=r"0 different labels.*rubric length"):
        fit(texts, np.where([True, False], np.nan_to_num(labels), NONE), info, settings_of)
    with pytest.raises(InputError, match=r"1 different labels.*rubric education"):
        fit(texts, np.where([True, False], 3.0, np.nan_to_num(labels)), info, settings_of)
    with pytest.raises(InputError, match="no labels reach the threshold 20"):
        fit(texts, np.where([True, False], labels, labels % 20), info, replace(settings_of, loss="binary"))
