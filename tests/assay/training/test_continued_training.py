"""Training that continues from a model: its head is kept, and texts that it was trained on measure nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.dedup import text_digest
from assay.inference import Scorer
from assay.labels import LabelledSet, Ledger, SplitConfig, learned_before, part_of, split_together, validate
from assay.labels.parts import read_seen
from assay.model import ModelInfo, Windows, new_model, save_model
from assay.rubric import load_rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import staged_folder
from assay.training import TrainConfig, train_model
from assay.training.loop import fit

RUBRIC = load_rubric("education")


@pytest.fixture
def config(tiny_encoder: Path) -> TrainConfig:
    return TrainConfig(encoder=str(tiny_encoder), windows=Windows(tokens=32), epochs=2, learning_rate=2e-3)


@pytest.fixture
def labelled(tmp_path: Path) -> LabelledSet:
    source = Path(__file__).parents[3] / "data" / "sample" / "documents.jsonl"
    snapshot = acquire(open_source(str(source)), Columns(label="label"), tmp_path / "snapshot")
    return LabelledSet(RUBRIC, snapshot, validate(snapshot, RUBRIC).documents)


def trained(of: LabelledSet, config: TrainConfig, folder: Path, seed: int = 0) -> Path:
    (divided,) = split_together(
        [of], ledger=None, config=SplitConfig(seed=seed), learned=learned_before(config.encoder)
    )
    train_model(
        of.snapshot,
        of.documents,
        divided.assignment,
        of.rubric,
        config,
        output=folder / "model",
        checkpoints=folder / "checkpoints",
    )
    return folder / "model"


def test_the_head_gives_the_same_scores_as_before(config: TrainConfig, sample: list[dict], tmp_path: Path) -> None:
    texts, labels = [row["text"] for row in sample[:40]], np.array([row["label"] for row in sample[:40]], float)
    info = ModelInfo(config.encoder, RUBRIC, config.windows)
    first = fit(texts, labels, info, replace(config, epochs=20)).model
    with staged_folder(tmp_path / "first") as folder:
        save_model(first, folder)
    before = Scorer(first).read(texts).score

    again = ModelInfo(str(tmp_path / "first"), RUBRIC, config.windows)
    assert new_model(again, seed=1).trained_head
    assert not new_model(info, seed=1).trained_head
    # Updates that change nothing: the scores stay the same, whatever the scale of the loss.
    for loss in ("regression", "ordinal"):
        still = replace(config, encoder=str(tmp_path / "first"), epochs=1, learning_rate=1e-12, loss=loss)
        after = Scorer(fit(texts, labels, again, still).model).read(texts).score
        np.testing.assert_allclose(after, before, atol=1e-4)


def test_texts_that_the_encoder_was_trained_on_train_and_measure_nothing(
    labelled: LabelledSet, config: TrainConfig, tmp_path: Path
) -> None:
    first = trained(labelled, config, tmp_path / "first")
    learned = read_seen(first)
    assert len(learned) > 300

    (divided,) = split_together([labelled], ledger=None, config=SplitConfig(seed=1), learned=learned)
    for name in ("calibration", "test"):
        part = part_of(labelled.documents, divided.assignment, name)
        assert len(part) > 10
        assert not any(text_digest(text) in learned for text in labelled.snapshot.take(part["row"]))


def test_such_documents_are_set_aside_if_the_ledger_has_them_in_another_part(
    labelled: LabelledSet, config: TrainConfig, tmp_path: Path
) -> None:
    first = trained(labelled, config, tmp_path / "first")
    learned = read_seen(first)
    ledger = Ledger(str(tmp_path / "ledger"))
    (other,) = split_together([labelled], ledger=ledger, config=SplitConfig(seed=5))
    measured = other.assignment["part"].isin(["calibration", "test"])

    (divided,) = split_together([labelled], ledger=ledger, config=SplitConfig(seed=5), learned=learned)

    aside = divided.assignment["part"] == "set_aside"
    assert 50 < aside.sum() < measured.sum()
    assert set(divided.assignment["id"][aside]) <= set(other.assignment["id"][measured])
    assert any("has learned from it" in sentence for sentence in divided.sentences())


def test_a_model_records_the_texts_of_the_model_before_it(
    labelled: LabelledSet, config: TrainConfig, tmp_path: Path
) -> None:
    first = trained(labelled, config, tmp_path / "first")
    few = labelled.documents[~labelled.documents["id"].isin(_learned_ids(labelled, first))]
    second = trained(replace(labelled, documents=few), replace(config, encoder=str(first)), tmp_path / "second")

    assert set(read_seen(first)) < set(read_seen(second))


def _learned_ids(labelled: LabelledSet, model: Path) -> set[str]:
    learned = read_seen(model)
    texts = labelled.snapshot.take(labelled.documents["row"])
    return {name for name, text in zip(labelled.documents["id"], texts, strict=True) if text_digest(text) in learned}
