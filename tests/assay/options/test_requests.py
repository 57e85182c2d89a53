"""The requests of the product: what a command can ask, a file and every workflow of its kind can ask."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from assay.curation import BuildRequest
from assay.errors import InputError
from assay.options import add_arguments, build, given_arguments, options_of, plain_options, read_options_file
from assay.pipeline import TrainingRequest
from assay.promotion import ChallengeRequest
from assay.release import RetrainingRequest, WatchingRequest
from assay.selection import FilteringRequest
from assay.storage import digest_json

ROOT = Path(__file__).resolve().parents[3]
REQUESTS = [TrainingRequest, FilteringRequest, BuildRequest, ChallengeRequest, RetrainingRequest, WatchingRequest]
EVERYTHING: dict[str, Any] = {
    "source": "labels.parquet",
    "text_column": "body",
    "label_column": "score",
    "group_by": "site",
    "id_column": "url",
    "weight_column": "trust",
    "judge_column": "judge",
    "reference_judge": "people",
    "time_column": "when",
    "since": "2026-01-01",
    "until": "2026-02-01",
    "rubric": "education",
    "threshold": 2.5,
    "also": ["length:2=length.parquet"],
    "recipe": "best",
    "kind": "encoder",
    "encoder": "some/folder",
    "window_tokens": 64,
    "window_count": 2,
    "loss": "ordinal",
    "trained_layers": 3,
    "epochs": 4,
    "least_updates": 10,
    "batch_documents": 8,
    "batch_tokens": 4096,
    "learning_rate": 0.0002,
    "warmup": 0.2,
    "weight_decay": 0.02,
    "clip": 2.0,
    "precision": "fp32",
    "scoring_precision": "bf16",
    "folds": 0,
    "pooling": "mean",
    "refit": False,
    "learning_curve": False,
    "seed": 7,
    "checkpoint_updates": 20,
    "keep": "recall=0.9",
    "seeds": 2,
    "slice_by": ["genre", "site"],
    "rater_columns": ["rater_1", "rater_2"],
    "gate_limit": ["shortcuts.excess=0.2"],
    "max_quarantined": 0.1,
    "ledger": "ledger",
}
"""Each option of a training, with another value than its default where that can go with the others."""


def digest(request: object) -> str:
    """Return the digest that the lineage of a version has."""
    return digest_json(plain_options(request))


def arguments_of(asked: dict[str, Any]) -> list[str]:
    given = []
    for name, value in asked.items():
        if isinstance(value, bool):
            given += [f"--{'' if value else 'no-'}{name.replace('_', '-')}"]
            continue
        for entry in value if isinstance(value, list) else [value]:
            given += [f"--{name.replace('_', '-')}", str(entry)]
    return given


@pytest.mark.parametrize("request_type", REQUESTS)
def test_every_option_of_every_request_has_a_help(request_type: type) -> None:
    for option in options_of(request_type).values():
        assert len(option.help) > 8, option.name
        first = option.help.split()[0].rstrip(":")
        assert first[0].isupper() or first in ("local", "kubernetes"), option.name
        assert first not in ("Of", "What", "Which", "Whether", "How", "Where", "Who"), option.name


def test_the_table_above_has_every_option_of_a_training() -> None:
    assert set(EVERYTHING) == set(options_of(TrainingRequest))


@pytest.mark.parametrize("request_type", [TrainingRequest, RetrainingRequest, WatchingRequest])
def test_what_the_command_line_can_ask_every_workflow_that_trains_can_ask(request_type: type) -> None:
    from tasks.support.requests import options_text, read_request

    parser = argparse.ArgumentParser()
    add_arguments(parser, options_of(TrainingRequest))
    by_line = build(
        TrainingRequest, given_arguments(parser.parse_args(arguments_of(EVERYTHING)), options_of(TrainingRequest))
    )

    import json

    flat = ("source", "text_column", "label_column", "group_by", "time_column", "rubric", "recipe")
    options = json.dumps({name: value for name, value in EVERYTHING.items() if name not in flat})
    inputs = {name: EVERYTHING[name] for name in flat}
    more = {} if request_type is TrainingRequest else {"test_set": "test.parquet"}
    by_workflow = read_request(request_type, options, **inputs, **more)
    for step in {TrainingRequest: "", RetrainingRequest: "training", WatchingRequest: "retraining training"}[
        request_type
    ].split():
        by_workflow = getattr(by_workflow, step)

    assert by_workflow == by_line
    assert digest(by_workflow) == digest(by_line)
    assert read_request(TrainingRequest, options_text(by_line)) == by_line
    usual = plain_options(TrainingRequest("labels.parquet"))
    assert [name for name, value in plain_options(by_line).items() if value == usual[name]] == [
        "source",
        "kind",
        "folds",
    ]


@pytest.mark.parametrize("asked", [{"recipe": "lexical", "folds": 3}, {"kind": "head", "encoder": "a", "seed": 2}])
def test_models_fitted_in_one_step_can_be_asked_for_everywhere(asked: dict[str, Any]) -> None:
    from tasks.support.requests import options_text, read_request

    parser = argparse.ArgumentParser()
    add_arguments(parser, options_of(TrainingRequest))
    given = arguments_of({"source": "labels.parquet", **asked})
    by_line = build(TrainingRequest, given_arguments(parser.parse_args(given), options_of(TrainingRequest)))

    assert by_line.config.kind in ("lexical", "head")
    assert read_request(TrainingRequest, str(asked), source="labels.parquet") == by_line
    assert read_request(TrainingRequest, options_text(by_line)) == by_line


def test_an_input_and_an_option_that_differ_are_refused() -> None:
    from tasks.support.requests import read_request

    assert read_request(TrainingRequest, "text_column: body", source="a", text_column="text").columns.text == "body"
    assert read_request(TrainingRequest, "source: a", source="a").source == "a"
    with pytest.raises(InputError, match=r"source is 'b' as an input and 'a' in options. Give it in one place"):
        read_request(TrainingRequest, "source: a", source="b")
    with pytest.raises(InputError, match=r"no option 'epoch' .*Did you mean epochs"):
        read_request(TrainingRequest, "epoch: 3", source="b")


@pytest.mark.parametrize(
    ("file", "request_type", "more"),
    [
        ("education.yaml", TrainingRequest, {}),
        ("few-labels.yaml", TrainingRequest, {"source": "labels.parquet"}),
        ("retraining.yaml", RetrainingRequest, {"source": "labels.parquet", "test_set": "test.parquet"}),
        ("crawl.yaml", BuildRequest, {"source": "crawl"}),
        ("filtering.yaml", FilteringRequest, {"source": "corpus"}),
    ],
)
def test_the_files_of_configs_are_requests(file: str, request_type: type, more: dict[str, str]) -> None:
    from tasks.support.requests import read_request

    asked = read_options_file(ROOT / "configs" / file)
    request = build(request_type, {**asked, **more}, where=file)

    assert read_request(request_type, f"configs/{file}", **more) == request
    assert f"`{file}`" in (ROOT / "configs" / "README.md").read_text()


def test_every_file_of_configs_is_tested_above() -> None:
    assert {path.name for path in (ROOT / "configs").glob("*.yaml")} == {
        *("education.yaml", "few-labels.yaml", "retraining.yaml", "crawl.yaml", "filtering.yaml")
    }
