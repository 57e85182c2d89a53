"""Every trained model carries the verdicts of its gates, in its report, its card and its evaluation."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from assay.evaluation import Evaluation
from assay.evaluation.evaluate import evaluate, with_gates
from assay.gates import Verdict, gate_sections, refusals
from assay.metrics import Predictions
from assay.report import Report, render_html, render_markdown
from assay.rubric import load_rubric
from assay.storage import parse_record

PASSED = Verdict("leak", True, [], {"test documents": 90, "splits": [{"": "F1", "random": 0.97, "grouped": None}]})
REFUSED = Verdict("counterfactuals", False, ["A list of keywords fools it."], {"keywords": "<b>, proof"})
UNKNOWN = Verdict("shortcuts", None, ["10 documents in 10 clusters; at least 50 are needed."])


def read(fields: dict) -> Evaluation:
    return parse_record(Evaluation, fields, what="this evaluation")


def evaluation() -> Evaluation:
    label = np.arange(60.0) % 6
    table = {"id": [f"d{i}" for i in range(60)], "cluster": range(60), "label": label, "score": label}
    meaning = {"calibrated": label, "p_keep": label / 5, "grade": label, "keep": label >= 3}
    return evaluate(Predictions.validate(pd.DataFrame({**table, **meaning})), load_rubric("education"))


def test_only_a_refusal_refuses() -> None:
    assert refusals([PASSED, REFUSED, UNKNOWN]) == ["counterfactuals: refused. A list of keywords fools it."]
    assert [verdict.refused for verdict in (PASSED, REFUSED, UNKNOWN)] == [False, True, False]


def test_verdicts_survive_json_with_the_evaluation_and_refusals_are_warnings() -> None:
    plain = evaluation()

    found = with_gates(plain, [PASSED, REFUSED, UNKNOWN])

    assert read(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
    assert found.warnings == [*plain.warnings, *refusals(found.gates)]
    assert plain.gates == read({k: v for k, v in plain.to_json().items() if k != "gates"}).gates == []


def test_the_sections_show_verdicts_and_figures() -> None:
    report = Report("Gates", sections=gate_sections([PASSED, REFUSED, UNKNOWN]))

    page, text = render_html(report), render_markdown(report)

    assert "A list of keywords fools it." in page
    assert "0.970" in page
    assert "&lt;b&gt;, proof" in page
    assert "no verdict. 10 documents" in text


def test_a_trained_model_carries_its_verdicts(tiny_model: Path) -> None:
    gates = read(json.loads((tiny_model / "evaluation.json").read_text())).gates
    card, page = (tiny_model / "README.md").read_text(), (tiny_model / "report.html").read_text()

    assert [verdict.name for verdict in gates] == ["shortcuts", "counterfactuals", "leak"]
    assert gates[0].passed is None  # 48 test documents are too few
    assert gates[2].passed
    assert gates[2].figures["or a near-duplicate"] == 0
    assert len(gates[1].figures["effects"]) == 8
    for verdict in gates:
        assert verdict.sentence() in card
    assert "Did test documents leak?" in page
