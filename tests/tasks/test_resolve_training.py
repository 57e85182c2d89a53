"""The request of a training run is resolved, and refused if it cannot be used, before anything is done."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assay.errors import InputError
from assay.model import KeepTarget, Windows
from assay.options import build
from assay.pipeline import TrainingRequest
from assay.rubric import load_rubric
from assay.sources import Columns, Period, open_source
from assay.training import recipe
from tasks.resolve_training import ResolvedTraining, resolve_training

DEFAULTS = {"text_column": "text", "label_column": "label", "recipe": "quickstart", "tracking": "mlflow"}
EMPTY = ("group_by", "time_column", "since", "until", "rubric", "options", "ledger", "registry")


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "work"))
    for variable in ("ASSAY_LEDGER", "ASSAY_REGISTRY"):
        monkeypatch.delenv(variable, raising=False)
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"text": ["one", "two"], "label": [0, 1]}).to_parquet(path)
    return path


def resolved(labels: Path, *, options: dict[str, Any] | str = "", **inputs: object) -> ResolvedTraining:
    """Call the task with the workflow's defaults."""
    text = options if isinstance(options, str) else json.dumps(options)
    inputs = {**dict.fromkeys(EMPTY, ""), **DEFAULTS, "source": str(labels), **inputs, "options": text}
    return resolve_training.task_function(**inputs)


def test_further_labels_are_known_by_name_rubric_and_revision(labels: Path) -> None:
    also = [f"education={labels}", f"legal:0.5={labels}", f"novelty={labels}"]

    found = resolved(labels, options={"also": also, "seeds": 3})

    education, legal, novelty = found.further
    assert found.further_sources == [str(labels)] * 3
    assert {each.revision for each in found.further} == {found.revision}
    assert education.rubric == load_rubric("education")
    assert (legal.rubric, legal.threshold, legal.name) == (None, 0.5, "legal")
    assert (novelty.threshold, novelty.name) == (None, "novelty")
    assert found.other_seeds == [1, 2]
    assert resolved(labels).further == []


def test_further_labels_may_be_given_as_text_with_commas(labels: Path) -> None:
    found = resolved(labels, options=f"also: education={labels}, legal:0.5={labels}")

    assert [each.name for each in found.further] == ["", "legal"]


def test_settings_that_are_not_given_are_those_of_the_recipe(labels: Path) -> None:
    assert resolved(labels).config.windows == recipe("quickstart").windows
    assert resolved(labels, options={"window_count": 3}).config.windows == Windows(256, 3)
    assert resolved(labels, options={"window_tokens": 64, "window_count": 2}).config.windows == Windows(64, 2)
    assert resolved(labels).config == recipe("quickstart")
    assert resolved(labels, recipe="best").config == recipe("best")


def test_each_output_has_the_value_of_its_option(labels: Path, tmp_path: Path) -> None:
    options = {
        "threshold": 2.5,
        "weight_column": "trust",
        "keep": "recall=0.9",
        "slice_by": ["genre"],
        "rater_columns": "rater_1, rater_2",
        "gate_limit": {"shortcuts.excess": 0.2},
        "max_quarantined": 0.1,
        "seed": 7,
    }
    period = {"time_column": "when", "since": "2026-01-01", "until": "2026-02-01"}

    found = resolved(labels, options=options, rubric="education", group_by="site", registry="r", ledger="l", **period)

    assert (found.source, found.revision) == (str(labels), open_source(str(labels)).revision)
    assert found.columns == Columns("text", "label", "site", "trust")
    assert found.period == Period("when", "2026-01-01", "2026-02-01")
    assert found.rubric == load_rubric("education", 2.5)
    assert (found.threshold, found.max_quarantined, found.seed) == (2.5, 0.1, 7)
    assert found.keep == KeepTarget.parse("recall=0.9")
    assert (found.slice_by, found.rater_columns) == (["genre"], ["rater_1", "rater_2"])
    assert found.gates.shortcuts.excess == 0.2
    assert (found.registry, found.ledger) == ("r", "l")


def test_places_that_are_not_given_are_in_the_work_folder(labels: Path, tmp_path: Path) -> None:
    found, other = resolved(labels), resolved(labels, label_column="score")

    assert found.registry == str(tmp_path / "work" / "registry")
    assert Path(found.ledger).parent == tmp_path / "work" / "ledgers"
    assert other.ledger != found.ledger, "labels of another column have a ledger of their own"


def test_equal_runs_have_equal_outputs_wherever_their_options_were_given(labels: Path, tmp_path: Path) -> None:
    """The outputs key the caches of all other stages, so that nothing in them may depend on the way."""
    file = tmp_path / "options.yaml"
    file.write_text("rubric: education\ngroup_by: site\nepochs: 5\n")

    given = resolved(labels, rubric="education", group_by="site", options="{epochs: 5}")
    in_options = resolved(labels, options='{"epochs": 5, "group_by": "site", "rubric": "education"}')
    in_a_file = resolved(labels, options=str(file))

    assert given._replace(started=0) == in_options._replace(started=0) == in_a_file._replace(started=0)


def test_the_request_that_lineage_records_can_be_built_again(labels: Path) -> None:
    found = resolved(labels, rubric="education", options={"epochs": 5, "also": [f"legal:0.5={labels}"]})

    again = build(TrainingRequest, json.loads(found.request))

    assert (again.config, again.rubric, str(again.also[0])) == (found.config, "education", f"legal:0.5={labels}")


def test_an_encoder_that_is_a_folder_is_known_by_its_content(labels: Path, tiny_encoder: Path) -> None:
    found = resolved(labels, options={"encoder": str(tiny_encoder)})

    assert len(found.encoder_revision) == 64
    assert found.continues_from == "", "it has learned no labels"
    assert resolved(labels).encoder_revision == ""


@pytest.mark.parametrize(
    ("options", "inputs", "message"),
    [
        ({"also": "legal"}, {}, "Give RUBRIC=SOURCE"),
        ({"also": "legal:high=x.parquet"}, {}, "threshold 'high' is no number"),
        ({"also": "legal=nowhere.parquet"}, {}, "nowhere.parquet"),
        ({"also": "legal=x.parquet", "folds": 3}, {}, "cross-fitting supports one rubric only"),
        ({"epoch": 3}, {}, r"no option 'epoch' \(options\). Did you mean epochs\?"),
        ({"epochs": "many"}, {}, "epochs 'many' cannot be read"),
        ({"group_by": "site"}, {"group_by": "author"}, "group_by is 'author' as an input and 'site' in options"),
        ("nowhere.yaml", {}, r"the options cannot be read: .* \(nowhere.yaml\)"),
        ("[1, 2]", {}, "these are no options by name"),
        ({}, {"rubric": "nothing"}, "no rubric 'nothing'"),
        ({}, {"recipe": "nothing"}, "no recipe 'nothing'"),
        ({}, {"source": "nowhere.parquet"}, "nowhere.parquet"),
    ],
)
def test_a_request_that_cannot_be_used_ends_the_run_here(
    labels: Path, options: dict[str, Any] | str, inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolved(labels, options=options, **inputs)
