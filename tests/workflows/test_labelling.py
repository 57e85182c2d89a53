"""A labelling in rounds on the shipped sample, whose two raters answer in place of a judge."""

from pathlib import Path

import pandas as pd
import pytest

from assay.cli.main import main
from tasks.labelling import MOST_ROUNDS
from workflows.labelling import label_in_rounds

OPTIONS = "{measured: 100, first: 50, rounds: 3, least_gain: -1, new: 0}"


@pytest.mark.full
def test_the_sample_is_labelled_in_rounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    made = label_in_rounds(options=OPTIONS, calls=600)

    labelled, folder = made.labelled, Path(str(made.folder))
    assert (labelled.rounds, labelled.calls, labelled.labels) == (3, 600, 300)
    assert labelled.stopped == "Stopped: 3 rounds are done."
    train, measured = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "measured"))
    assert (len(train), len(measured)) == (200, 100)
    assert not set(train["id"]) & set(measured["id"])
    assert (measured["inclusion"] > 0).all()
    assert "rater_1, rater_2" in (folder / "report.html").read_text()
    model = str(tmp_path / "model")
    data = ["train", "--data", str(folder / "train.parquet"), "--rubric", "education", "--weight-column", "weight"]
    assert main([*data, "--recipe", "lexical", "--output", model]) == 0
    record = str(tmp_path / "measured.json")
    assert main(["evaluate", "--model", model, "--data", str(folder / "measured.parquet"), "--output", record]) == 0
    assert "column inclusion" in Path(record).read_text()


def test_more_rounds_than_the_chain_has_are_refused() -> None:
    with pytest.raises(Exception, match=f"Give {MOST_ROUNDS} or fewer"):
        label_in_rounds(options="{rounds: 99}")


def test_a_judge_without_its_column_is_refused() -> None:
    with pytest.raises(Exception, match="no column 'three'"):
        label_in_rounds(judges=["column:three"])
