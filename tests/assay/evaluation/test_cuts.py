"""The table of cuts: chosen on one part, confirmed on another, with a reason if a target cannot be guaranteed."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.cuts import CutRow, cut_blocks, measure_cuts
from assay.model import Calibration, KeepTarget
from assay.report import Report, Section, render_markdown
from assay.rubric import load_rubric
from assay.storage import parse_record

RUBRIC = load_rubric("education")


def drawn(n: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    scores = generator.normal(2, 1, n)
    return pd.DataFrame({"score": scores, "label": np.clip(np.round(scores + generator.normal(0, 0.7, n)), 0, 5)})


def calibrated(n: int, keep: str = "labels") -> Calibration:
    table = drawn(n, seed=0)
    return Calibration.fit(
        table["score"].to_numpy(),
        table["label"].to_numpy(),
        low=0,
        high=5,
        threshold=3,
        keep=KeepTarget.parse(keep),
    )


def test_guaranteed_targets_hold_on_other_documents() -> None:
    rows = {row.target: row for row in measure_cuts(calibrated(4000), drawn(20_000, seed=1), RUBRIC)}

    assert not any(row.refused for row in rows.values())
    for target in ("precision=0.5", "precision=0.8"):
        assert rows[target].test["precision"] >= float(target.partition("=")[2])  # type: ignore[operator]
    for target in ("recall=0.8", "recall=0.95"):
        assert rows[target].test["recall"] >= float(target.partition("=")[2])  # type: ignore[operator]
        assert rows[target].test["share"] < 1  # type: ignore[operator]
    assert rows["labels"].calibration["share"] == pytest.approx(rows["labels"].test["share"], abs=0.02)
    assert [row.target for row in rows.values() if row.chosen] == ["labels"]


def test_few_documents_give_a_reason_why_a_target_is_refused() -> None:
    rows = {row.target: row for row in measure_cuts(calibrated(40, "f1"), drawn(200, seed=1), RUBRIC)}

    assert "cannot promise a recall of 0.95" in rows["recall=0.95"].refused
    assert rows["recall~0.95"].calibration["recall"] >= 0.95  # type: ignore[operator]
    assert rows["f1"].chosen
    page = render_markdown(Report("Cuts", sections=[Section("Where", cut_blocks(list(rows.values()), RUBRIC))]), {})
    assert "f1 (this model's)" in page
    assert "cannot promise a recall of 0.95" in page


def test_rows_are_plain_json() -> None:
    rows = measure_cuts(calibrated(40), drawn(200, seed=1), RUBRIC)

    assert parse_record(list[CutRow], json.loads(json.dumps([asdict(row) for row in rows])), what="cuts") == rows
