"""Input that a workflow cannot use ends `pyflyte run` with the message of the command line, as its last output."""

import json
from pathlib import Path

import pytest
from checkout import Checkout

from assay.registry import Registry

FULL = pytest.mark.full
TRAIN, FILTER = ("training.py", "train_quality_classifier"), ("filtering.py", "filter_corpus")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_model: Path) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("run"), tiny_encoder)
    registry = Registry(str(made.work / "registry"))
    registry.ensure_alias("champion", registry.register(tiny_model, {}).name, who="test", why="the only one")
    rows = [json.loads(line) for line in made.source.read_text().splitlines()]
    for name, changed in (
        ("equal", [row | {"label": 3} for row in rows]),
        ("beyond", [row | {"label": 10 * row["label"]} for row in rows]),
    ):
        (made.root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    return made


@pytest.mark.parametrize(
    ("workflow", "options", "message"),
    [
        pytest.param(
            TRAIN,
            "--source equal.jsonl --rubric education",
            ("all 450 labels are 3 (", "equal.jsonl)", "Give documents of at least two different labels"),
            id="all labels equal",
            marks=FULL,
        ),
        pytest.param(
            TRAIN,
            "--source beyond.jsonl --rubric education",
            ("rows cannot be used", "label outside the scale 0 to 5", "beyond.jsonl, first at row", "Correct them"),
            id="labels out of range",
            marks=FULL,
        ),
        pytest.param(
            TRAIN,
            '--source data/sample/documents.jsonl --rubric education --options {"threshold":9}',
            ("threshold 9 is outside the scale 0 to 5", "(rubric education)", "Choose one above 0 and at most 5"),
            id="threshold outside the scale",
            marks=FULL,
        ),
        pytest.param(
            FILTER,
            "--source nowhere.parquet",
            ("no such file or folder", "(nowhere.parquet)", "Check the path"),
            id="missing source",
            marks=FULL,
        ),
        pytest.param(
            FILTER,
            "--source data/sample/documents.jsonl --token_budget -5",
            ("a budget of -5 tokens", "(selection)", "Give 1 or more"),
            id="negative budget",
            marks=FULL,
        ),
        pytest.param(
            FILTER,
            "--source data/sample/documents.jsonl --text_column body",
            ("no column 'body' for the text", "documents.jsonl)", "Name one of: genre, id, label"),
            id="missing column",
            marks=FULL,
        ),
    ],
)
def test_a_run_with_bad_input_ends_with_our_message(
    workflow: tuple[str, str], options: str, message: tuple[str, ...], checkout: Checkout
) -> None:
    before = {path for path in checkout.work.rglob("*") if "raw" not in path.parts}

    process = checkout.launch(*workflow, *options.split())
    out, err = process.communicate(timeout=300)

    assert process.returncode != 0
    last = " ".join(out.split())[-800:]  # pyflyte prints errors there, in lines as wide as the terminal
    for words in message:
        assert words in last, out[-3000:]
    places = [last.rindex(words) for words in message]
    assert places[0] < places[-1], "the message comes last, whole"
    assert "Traceback" not in last[min(places) :]
    assert "Traceback" not in err
    assert {path for path in checkout.work.rglob("*") if "raw" not in path.parts} == before
