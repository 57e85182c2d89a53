"""The model card: the Hugging Face hub reads it, it is complete, and equal runs give equal text."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from huggingface_hub import ModelCard

from assay.evaluation import Evaluation, finish_model_folder
from assay.evaluation.card import model_card
from assay.evaluation.evaluate import with_training
from assay.gates import Verdict
from assay.metrics import measure_raters
from assay.model import ModelInfo
from assay.storage import parse_record


def evaluation_of(model: Path) -> Evaluation:
    return parse_record(Evaluation, json.loads((model / "evaluation.json").read_text()), what="evaluation.json")


def test_the_hub_reads_the_card_of_a_trained_model(tiny_model: Path) -> None:
    card = ModelCard.load(tiny_model / "README.md")

    assert card.data.language == ["en"]
    assert card.data.pipeline_tag == "text-classification"
    figures = {result.metric_type: result.metric_value for result in card.data.eval_results}
    expected = evaluation_of(tiny_model).metrics
    assert figures["f1"] == round(expected["f1"].value, 4)
    for title in ("Intended use", "Labels", "Data", "Figures", "Slices", "Gates", "Limits", "Cost of training"):
        assert f"\n## {title}\n" in card.text, title
    assert "not made to judge people" in card.text
    assert "processor seconds" in card.text
    assert "they do not cover the variance over training seeds" in card.text
    assert "| language: en | " in card.text


def test_the_card_is_the_same_for_the_same_run_and_report_names_length_and_language(
    tiny_model: Path, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        finish_model_folder(tiny_model, evaluation_of(tiny_model), tiny_model / "report.html", tmp_path / name)

    cards = [(tmp_path / name / "README.md").read_bytes() for name in ("one", "other")]
    assert cards[0] == cards[1] == (tiny_model / "README.md").read_bytes()
    page = (tiny_model / "report.html").read_text()
    assert " words, " in page
    assert " characters, en; " in page


def test_the_card_shows_seeds_raters_and_gates_if_they_are_known(tiny_model: Path) -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(0, 1, 90)
    ratings = pd.DataFrame({f"rater_{n}": truth + generator.normal(0, 0.5, 90) for n in (1, 2)})
    found = replace(
        evaluation_of(tiny_model),
        seeds={"f1": [0.7, 0.72, 0.74]},
        raters=measure_raters(ratings, resamples=50),
        gates=[Verdict("shortcuts", False, ["Length carries it."]), Verdict("leak", None, ["Too few."])],
    )

    card = model_card(ModelInfo.read(tiny_model), found)

    assert "seeds ± 0.020" in card
    assert "variance over training seeds" not in card
    assert "The reliability of one rating is 0." in card
    assert "liking for long texts" in card
    assert "Refused by: shortcuts" in card
    assert "no verdict. Too few." in card
    assert "Too few documents for a verdict on: leak." in card
    bare = model_card(ModelInfo.read(tiny_model), replace(found, raters=None, gates=[], training={}))
    assert "Their single ratings are unknown" in bare
    assert "No gate was run." in bare


def test_the_cost_covers_all_updates_and_leaves_out_unknown_counters(tiny_model: Path) -> None:
    curve = pd.DataFrame({"tokens": [100.0, 50.0], "seconds": [1.5, 2.0], "processor_seconds": [3.0, 3.5]})
    plain = replace(evaluation_of(tiny_model), training={})

    found = with_training(plain, curve)

    assert found.training == {"updates": 2, "tokens": 150, "seconds": 3.5, "processor_seconds": 6.5}
    assert parse_record(Evaluation, json.loads(json.dumps(found.to_json())), what="this evaluation") == found
    assert "processor_seconds" not in with_training(plain, curve.assign(processor_seconds=[None, 1.0])).training
    assert with_training(plain, curve.iloc[:0]) == plain
    folded = with_training(plain, curve.assign(fold=[1, 0]))
    assert folded.training == {**found.training, "fold_models": 1}
    assert "This includes the 1 fold models" in model_card(ModelInfo.read(tiny_model), folded)
    assert "fold models" not in model_card(ModelInfo.read(tiny_model), found)
