"""Slices: every kind with its number of documents, and figures only if there are enough."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from assay.cli.main import main
from assay.evaluation.evaluate import evaluate
from assay.evaluation.figures import MOST_SMALL, slice_blocks
from assay.metrics import Predictions
from assay.report import Report, Section, render_html
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")
GERMAN = "Zwei Brüche werden addiert, indem man sie auf denselben Nenner bringt und dann die Zähler addiert. "


def test_small_slices_are_counted_and_not_measured() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 6, 200).astype(float)
    table = pd.DataFrame({"id": [f"d{i}" for i in range(200)], "cluster": range(200), "label": label, "score": label})
    table = table.assign(calibrated=label, p_keep=label / 5, grade=label.astype(int), keep=label >= 3)
    table["kind"] = ["large"] * 120 + ["middle"] * 30 + [f"site {i}" for i in range(50)]
    table["half"] = ["one", None] * 100

    found = evaluate(Predictions.validate(table), RUBRIC, slice_columns={"kind": "kind", "half": "half"})
    page = render_html(Report("Slices", sections=[Section("Slices", slice_blocks(found))]))

    by_name = {part.value: part for part in found.slices}
    assert by_name["large"].metrics["spearman"].low is not None
    assert by_name["middle"].metrics["spearman"].value is not None
    assert by_name["middle"].metrics["spearman"].low is None
    assert by_name["site 7"].metrics == {}
    assert (by_name["site 7"].documents, by_name["site 7"].positive) == (1, int(label[157] >= 3))
    assert by_name["one"].documents == 100
    assert "None" not in by_name
    assert page.count("kind: site") == MOST_SMALL
    assert "10 smaller slices are not shown" in page
    assert page.index("kind: large") < page.index("kind: site 0") < page.index("half: one")


def test_an_evaluation_has_slices_by_length_language_and_columns(
    tiny_model: Path, tmp_path: Path, sample: list[dict]
) -> None:
    rows = sample[240:300] + [
        row | {"id": f"g{n}", "text": GERMAN * 3 + row["topic"]} for n, row in enumerate(sample[:5])
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "d.parquet", index=False)
    command = ["evaluate", "--model", str(tiny_model), "--data", str(tmp_path / "d.parquet")]

    assert main([*command, "--slice-by", "genre", "--slice-by", "writer", "--output", str(tmp_path / "r.json")]) == 0

    slices = json.loads((tmp_path / "r.json").read_text())["slices"]
    assert {part["column"] for part in slices} == {"length", "language", "genre", "writer"}
    languages = {part["value"]: part for part in slices if part["column"] == "language"}
    assert languages["de"]["documents"] == 5
    assert languages["de"]["metrics"] == {}
    assert languages["en"]["documents"] + languages["not certain"]["documents"] == 60
    for column in ("length", "language", "genre", "writer"):
        assert sum(part["documents"] for part in slices if part["column"] == column) == 65
    page = (tmp_path / "r.html").read_text()
    assert "language: de" in page
