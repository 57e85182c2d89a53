"""An audit measures one corpus: intervals cover the truth, a broken promise is found, its files are checked."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.audit import AuditPlan, AuditRequest, Side, draw_audit, finish_audit, measure_audit, strata_of
from assay.audit.plan import Stratum
from assay.audit.run import read_labels
from assay.cli.main import main
from assay.errors import InputError
from tests.assay.selection.test_selection import document


def plan_of(strata: list[Stratum], target: str = "precision=0.8") -> AuditPlan:
    ids = {f"{number}-{n}": number for number, stratum in enumerate(strata) for n in range(stratum.sample)}
    return AuditPlan("s", "c", "m", 3.0, target, 0, tuple(strata), ids)


CORPUS = [
    Stratum(True, 3.0, 4.0, 400, 60),
    Stratum(True, 4.0, 9.0, 200, 40),
    Stratum(False, -9.0, 1.0, 8_000, 40),
    Stratum(False, 1.0, 3.0, 1_000, 60),
]


@pytest.mark.parametrize("shares", [(0.5, 0.9, 0.005, 0.2), (0.9, 1.0, 0.0, 0.05), (0.1, 0.2, 0.001, 0.02)])
def test_intervals_cover_the_truth_of_the_corpus_in_95_of_100_samples(shares: tuple[float, ...]) -> None:
    generator, held, runs = np.random.default_rng(0), np.zeros(3), 300
    sizes = [of.documents for of in CORPUS]
    good = [generator.permutation(np.arange(n) < round(p * n)) for n, p in zip(sizes, shares, strict=True)]
    selected, left = (sum(good[n].sum() for n in side) for side in ((0, 1), (2, 3)))
    truth = (selected / 600, selected / (selected + left), (selected + left) / 9_600)
    plan = plan_of(CORPUS)
    for _ in range(runs):
        labels = {}
        for number, of in enumerate(CORPUS):
            drawn = generator.choice(good[number], of.sample, replace=False)
            labels |= {f"{number}-{n}": 4.0 if each else 1.0 for n, each in enumerate(drawn)}
        found = measure_audit(plan, labels)
        for place, interval in enumerate((found.precision, found.recall, found.good)):
            held[place] += interval.low - 1e-9 <= truth[place] <= interval.high + 1e-9
    # 95 %, less three standard errors of 300 samples.
    assert (held / runs >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)).all(), held / runs


def labelled(plan: AuditPlan, shares: list[float]) -> dict[str, float]:
    """Labels with exactly these shares of good ones in the strata, as nearly as whole numbers allow."""
    found = {}
    for number, (stratum, share) in enumerate(zip(plan.strata, shares, strict=True)):
        for n in range(stratum.sample):
            found[f"{number}-{n}"] = 4.0 if n < share * stratum.sample else 1.0
    return found


def test_the_verdict_finds_a_broken_promise_and_leaves_a_close_one_open() -> None:
    broken = measure_audit(plan_of(CORPUS), labelled(plan_of(CORPUS), [0.4, 0.7, 0, 0.1]))
    kept = measure_audit(plan_of(CORPUS), labelled(plan_of(CORPUS), [0.95, 1.0, 0, 0]))
    close = measure_audit(plan_of(CORPUS), labelled(plan_of(CORPUS), [0.8, 0.85, 0, 0]))
    recall = plan_of(CORPUS, "recall=0.9")
    few = measure_audit(recall, labelled(recall, [0.9, 1.0, 0.1, 0.5]))

    assert (broken.verdict, kept.verdict, close.verdict, few.verdict) == ("broken", "kept", "open", "broken")
    assert broken.precision.value == pytest.approx((400 * 0.4 + 200 * 0.7) / 600)
    assert "Broken: the precision of this corpus is 0.50" in broken.sentence
    assert few.recall.value == pytest.approx(560 / (560 + 800 + 500))
    for target in ("", "labels", "share=0.1"):
        plan = plan_of(CORPUS, target)
        assert measure_audit(plan, labelled(plan, [0.4, 0.7, 0, 0.1])).verdict == "none"


def test_labels_that_cannot_be_used_are_refused() -> None:
    plan = plan_of(CORPUS)
    labels = labelled(plan, [0.5, 0.5, 0, 0])

    with pytest.raises(InputError, match="not in the sample, such as 'x'"):
        measure_audit(plan, {**labels, "x": 1.0})
    with pytest.raises(InputError, match="0 of the documents left out are labelled; at least 10"):
        measure_audit(plan, {name: label for name, label in labels.items() if name[0] in "01"})
    with pytest.raises(InputError, match="none of the 60 sampled documents left out with scores from 1 to 3"):
        measure_audit(plan, {name: label for name, label in labels.items() if name[0] != "3"})
    some = measure_audit(plan, {name: label for name, label in labels.items() if not name.endswith("7")})
    assert some.missing == sum(name.endswith("7") for name in labels)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.floats(0, 1)), min_size=1, max_size=60),
    st.integers(20, 400),
    st.booleans(),
)
def test_strata_hold_every_document_once_and_give_the_sample(
    bins: list[tuple[int, float]], sample: int, selected: bool
) -> None:
    documents = np.array([count for count, _ in bins])
    side = Side(np.arange(len(bins), dtype=float), documents, documents * np.array([share for _, share in bins]))

    strata = strata_of(side, selected=selected, sample=sample)

    assert sum(stratum.documents for stratum in strata) == documents.sum()
    assert sum(stratum.sample for stratum in strata) == min(sample, documents.sum())
    assert all(0 < stratum.sample <= stratum.documents for stratum in strata)
    assert all(one.high == other.low for one, other in pairwise(strata))


def test_an_audit_from_the_command_line(
    tmp_path: Path, tiny_model: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, scores, selected, folder = (str(tmp_path / name) for name in ("c.parquet", "scores", "selected", "audit"))
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample]).to_parquet(corpus)
    label = {str(row["id"]): row["label"] for row in sample}
    model = ["--model", str(tiny_model)]
    assert main(["score", corpus, *model, "--output", scores]) == 0
    given = ["--scores", scores, "--output", selected, "--share", "0.3"]
    assert main(["select", corpus, *model, *given]) == 0

    draw = ["audit", folder, "--selection", selected, "--corpus", corpus, *model, "--scores", scores]
    assert main([*draw, "--documents", "100"]) == 0

    plan, table = AuditPlan.read(Path(folder)), pd.read_csv(Path(folder) / "to-label.csv", dtype=str)
    assert len(table) == len(plan.ids) == 100
    assert set(table["id"]) == set(plan.ids) and table["label"].isna().all()
    rows = {row["id"]: row["text"] for row in sample}
    assert all(rows[name][:50] == text[:50] for name, text in zip(table["id"], table["text"], strict=True))
    chosen = set(pd.read_parquet(next(Path(selected).glob("part-*")), columns=["id"])["id"])
    assert all((name in chosen) == plan.strata[number].selected for name, number in plan.ids.items())
    assert main(["audit", folder]) == 2
    assert "0 of the selected documents are labelled" in capsys.readouterr().err

    table["label"] = [label[name] for name in table["id"]]
    table.to_csv(Path(folder) / "to-label.csv", index=False)
    assert main(["audit", folder]) == 0
    said = capsys.readouterr().out
    found = json.loads((Path(folder) / "audit.json").read_text())
    assert found["labels"] == 100 and found["verdict"] == "none"
    assert found["precision"]["low"] <= found["precision"]["value"] <= found["precision"]["high"]
    assert "there is no promise to check" in said
    assert "Precision and recall of this corpus" in (Path(folder) / "audit.html").read_text()
    again = replace(plan, target="precision=0.99")
    again.write(Path(folder))
    assert main(["audit", folder]) == (1 if found["precision"]["high"] < 0.99 else 0)

    other = tmp_path / "other.parquet"
    pd.DataFrame([document(n, 0.0) for n in range(9)])[["id", "text"]].to_parquet(other)
    draw[draw.index("--corpus") + 1] = str(other)
    draw[1] = str(tmp_path / "second")
    assert main(draw) == 2
    assert "this selection is of another corpus" in capsys.readouterr().err
    assert not Path(draw[1]).exists()


def test_filled_files_are_read_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "filled.csv"
    file.write_text('\ufeffid,label,text\n007,4,a\n8,,b\n9,"3,5",c\n', encoding="utf-8")
    assert read_labels(str(file)) == {"007": 4.0, "9": 3.5}
    lines = tmp_path / "filled.jsonl"
    lines.write_text('{"id": "a", "label": 2}\n{"id": "b", "label": null}\n')
    assert read_labels(str(lines)) == {"a": 2.0}
    for text, complaint in (
        ("id,label\na,good\n", "row 1: the label 'good' is no number"),
        ("id,label\na,1\na,2\n", "row 2: 'a' has two labels"),
        ("name,label\na,1\n", "the columns are name, label"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=complaint):
            read_labels(str(file))
    with pytest.raises(InputError, match=r"no audit: audit-plan\.json is missing"):
        finish_audit(tmp_path)
    with pytest.raises(InputError, match="a sample of 10 documents"):
        AuditRequest("s", "c", documents=10)
    with pytest.raises(InputError):
        draw_audit(AuditRequest(str(tmp_path / "none"), "c"), tmp_path, str(tmp_path), tmp_path / "new")
