"""Training: the loss, the layers that learn, the scale of the scores, and the order of the documents."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from curves import curve, info_of
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inference import Scorer
from assay.model import Windows, load_model, new_model, save_model
from assay.training import TrainConfig, recipe
from assay.training.config import LossName
from assay.training.loop import fit
from assay.training.losses import Ordinal, make_loss
from assay.training.plan import batch_of, share_of, steps_per_epoch, updates_of


@pytest.mark.parametrize("loss", ["ordinal", pytest.param("binary", marks=pytest.mark.full)])
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
