"""What a training run is given is looked at before anything is done."""

from pathlib import Path

import pandas as pd
import pytest

from assay.errors import InputError
from assay.model import Windows
from assay.rubric import load_rubric
from assay.training import recipe
from tasks.resolve_training import Given, resolve_training

PLAIN = {
    "text_column": "text",
    "label_column": "label",
    "recipe_name": "quickstart",
    "threshold": None,
    "window_tokens": 0,
    "window_count": 0,
    "scoring_precision": "fp32",
    "folds": 0,
    "keep": "labels",
    "seed": 0,
    "seeds": 1,
}
EMPTY = ("group_by", "id_column", "weight_column", "time_column", "since", "until", "rubric", "encoder", "loss")


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "work"))
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"text": ["one", "two"], "label": [0, 1]}).to_parquet(path)
    return path


def given(labels: Path, **asked: object) -> Given:
    nothing = dict.fromkeys((*EMPTY, "gate_limits", "also", "ledger", "registry"), "")
    return resolve_training.task_function(**{**nothing, **PLAIN, "source": str(labels), **asked})


def test_further_labels_are_known_by_name_rubric_and_revision(labels: Path) -> None:
    found = given(labels, also=f"education={labels}, legal:0.5={labels}, novelty={labels}", seeds=3)

    education, legal, novelty = found.further
    assert found.further_sources == [str(labels)] * 3
    assert {each.revision for each in found.further} == {found.revision}
    assert education.rubric == load_rubric("education")
    assert (legal.rubric, legal.threshold, legal.name) == (None, 0.5, "legal")
    assert (novelty.threshold, novelty.name) == (None, "novelty")
    assert found.other_seeds == [1, 2]
    assert given(labels).further == []


def test_settings_left_at_nothing_are_those_of_the_recipe(labels: Path) -> None:
    assert given(labels).config.windows == recipe("quickstart").windows
    assert given(labels, window_count=3).config.windows == Windows(256, 3)
    assert given(labels, window_tokens=64, window_count=2).config.windows == Windows(64, 2)


@pytest.mark.parametrize(
    ("also", "asked", "message"),
    [
        ("legal", {}, "Give RUBRIC=SOURCE"),
        ("legal:high=x.parquet", {}, "threshold 'high' is no number"),
        ("legal=nowhere.parquet", {}, "nowhere.parquet"),
        ("legal=x.parquet", {"folds": 3}, "cross-fitting is for one rubric"),
    ],
)
def test_a_mistake_in_further_labels_ends_the_run_here(
    labels: Path, also: str, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        given(labels, also=also, **asked)
