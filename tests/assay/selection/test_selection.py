"""Selections compared with a brute-force ranking: ties, near-duplicates, and budgets that no documents fill exactly."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.model import Calibration, KeepTarget
from assay.scoring import PartFolder, Scores, ScoringConfig
from assay.scoring.histogram import Bins
from assay.scoring.plan import Plan
from assay.scoring.sidecar import PartFile, Sidecar
from assay.selection import SelectionRequest
from assay.selection.choose import choose
from assay.selection.write import provenance_of, write_selection
from assay.storage import Snapshot, find_made, write_snapshot

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def words(seed: int, count: int = 40) -> str:
    """Return a random text. Two texts of different seeds share hardly a word."""
    random = np.random.default_rng(seed)
    return " ".join("".join(random.choice(LETTERS, 7)) for _ in range(count))


def calibration() -> Calibration:
    random = np.random.default_rng(0)
    labels = random.integers(0, 6, 200).astype(float)
    return Calibration.fit(labels + random.normal(0, 0.5, 200), labels, low=0, high=5, threshold=3)


def scored(
    folder: Path, rows: list[dict], rows_per_part: int = 7, provenance: dict | None = None, **columns: list
) -> tuple[Scores, Snapshot]:
    """Write a corpus and its scores from rows with `score`, `tokens`, `reason` and `in_scope`."""
    table = pa.table(
        {
            "id": [row["id"] for row in rows],
            "text": pa.array([row["text"] for row in rows], pa.large_string()),
            "url": [f"https://example.org/{n}" for n in range(len(rows))],
            "license": ["CC-BY-4.0", None] * (len(rows) // 2) + ["CC0-1.0"] * (len(rows) % 2),
            **columns,
        }
    )
    about = {"sources": [{"uri": "here"}], **(provenance or {})}
    corpus = write_snapshot(folder / "corpus", table.to_batches(), provenance=about, replace=True)
    return scores_of(str(folder / "scores"), corpus, rows, rows_per_part), corpus


def scores_of(root: str, corpus: Snapshot, rows: list[dict], rows_per_part: int = 7, slice_by: str = "") -> Scores:
    """Write the scores of a corpus with these rows below a folder or URL."""
    config = ScoringConfig(rows_per_part=rows_per_part, slice_by=slice_by)
    plan = Plan(corpus.manifest.version, len(rows), "m" * 64, "a count", Bins(-5, 10), config)
    parts = PartFolder.create(root, plan)
    meaning = calibration().apply([row.get("score", 0.0) for row in rows])
    sidecar = pd.DataFrame(
        {
            "id": [row["id"] for row in rows],
            "score": [row.get("score", np.nan) for row in rows],
            "calibrated": meaning.calibrated,
            "p_keep": meaning.p_keep,
            "grade": pd.array(meaning.grade, dtype="Int64"),
            "keep": pd.array(meaning.keep, dtype="boolean"),
            "tokens": [row["tokens"] for row in rows],
            "read": 1.0,
            "language": "en",
            "in_scope": [row.get("in_scope", True) for row in rows],
            "reason": [row.get("reason") for row in rows],
            "budget_tokens": [row["tokens"] for row in rows],
            "slice": [str(row.get("slice", "")) for row in rows],
        }
    )
    for part in plan.parts():
        some = Sidecar.validate(sidecar.iloc[part.start : part.stop].reset_index(drop=True))
        PartFile(parts, part).write(some[list(Sidecar.to_schema().columns)])
    return Scores.complete(parts)


def document(n: int, score: float, tokens: int = 10, **more: object) -> dict:
    return {"id": f"d{n:03d}", "text": words(n), "score": score, "tokens": tokens, **more}


ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 1.5, 1.5000001, 3.0]) | st.floats(-9, 14), st.integers(1, 50)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.integers(1, 400), st.floats(0.01, 1), st.randoms(use_true_random=False))
def test_the_best_are_selected_and_ties_are_ordered_by_id(
    tmp_path: Path, drawn: list[tuple[float, int]], budget: int, share: float, random: np.random.Generator
) -> None:
    rows = [document(n, score, tokens) for n, (score, tokens) in enumerate(drawn)]
    random.shuffle(rows)
    scores, corpus = scored(tmp_path, rows)
    order = sorted(range(len(rows)), key=lambda row: (-rows[row]["score"], rows[row]["id"]))
    sums = np.cumsum([rows[row]["tokens"] for row in order])

    within = order[: int((sums <= budget).sum())]
    if within:
        choice = choose(scores, corpus, calibration(), SelectionRequest(token_budget=budget))
        assert choice.rows.tolist() == sorted(within)
        assert choice.realised == sum(rows[row]["tokens"] for row in within) <= choice.promised == budget
        assert choice.cut == rows[within[-1]]["score"]
    else:
        with pytest.raises(InputError, match="more than the budget"):
            choose(scores, corpus, calibration(), SelectionRequest(token_budget=budget))

    choice = choose(scores, corpus, calibration(), SelectionRequest(share=share))
    assert choice.rows.tolist() == sorted(order[: int(np.ceil(share * len(rows)))])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.integers(1, 9)), min_size=1, max_size=24
    ),
    st.integers(1, 120),
)
def test_one_of_each_cluster_is_selected_and_the_budget_is_filled_without_the_others(
    tmp_path: Path, drawn: list[tuple[int, float, int]], budget: int
) -> None:
    rows = [document(n, score, tokens) | {"text": words(1000 + text)} for n, (text, score, tokens) in enumerate(drawn)]
    scores, corpus = scored(tmp_path, rows)
    order = sorted(range(len(rows)), key=lambda row: (-rows[row]["score"], rows[row]["id"]))
    first: dict[str, int] = {}
    survivors = [row for row in order if first.setdefault(rows[row]["text"], row) == row]
    sums = np.cumsum([rows[row]["tokens"] for row in survivors])
    expected = sorted(survivors[: int((sums <= budget).sum())])

    if not expected:
        return
    choice = choose(scores, corpus, calibration(), SelectionRequest(token_budget=budget))

    assert choice.rows.tolist() == expected
    lowest = max(order.index(row) for row in expected)
    fallen = {rows[row]["id"]: rows[first[rows[row]["text"]]]["id"] for row in order[:lowest] if row not in survivors}
    assert dict(choice.duplicates.itertuples(index=False)) == fallen
    kept = choose(scores, corpus, calibration(), SelectionRequest(share=1.0, keep_duplicates=True))
    assert len(kept.rows) == len(rows)


def test_documents_without_a_score_or_out_of_scope_are_never_selected(tmp_path: Path) -> None:
    rows = [document(n, 4.0) for n in range(6)]
    rows[1] = rows[1] | {"reason": "too long", "score": np.nan}
    rows[3] |= {"in_scope": False}
    scores, corpus = scored(tmp_path, rows)

    choice = choose(scores, corpus, calibration(), SelectionRequest(share=1.0))

    assert choice.rows.tolist() == [0, 2, 4, 5]
    assert [(step.documents, step.tokens) for step in choice.funnel] == [
        (6, None),
        (5, None),
        (4, 40),
        (4, 40),
        (4, 40),
    ]


def test_a_threshold_selects_as_many_documents_as_labels_reach_the_grade(tmp_path: Path) -> None:
    made = calibration()
    rows = [document(n, score) for n, score in enumerate(np.linspace(-1, 6, 40))]
    scores, corpus = scored(tmp_path, rows)
    of = {row: rows[row]["score"] for row in range(40)}

    assert made.keep_cut is not None
    own = choose(scores, corpus, made, SelectionRequest())
    assert own.rows.tolist() == [row for row in of if of[row] >= made.keep_cut]
    assert choose(scores, corpus, made, SelectionRequest(threshold=3)).rows.tolist() == own.rows.tolist()
    for grade in (1, 2, 4, 5):
        cut = made.grade_cuts[grade - 1]
        assert cut is not None
        chosen = choose(scores, corpus, made, SelectionRequest(threshold=grade))
        assert chosen.rows.tolist() == [row for row in of if of[row] >= cut]
    for wrong in (0, 2.5, 6, -1):
        with pytest.raises(InputError, match="no grade to select by"):
            choose(scores, corpus, made, SelectionRequest(threshold=wrong))


def test_a_target_cuts_by_the_curve_of_the_model(tmp_path: Path) -> None:
    made = calibration()
    assert made.curve is not None
    rows = [document(n, score) for n, score in enumerate(np.linspace(-1, 6, 40))]
    scores, corpus = scored(tmp_path, rows)

    taken = {}
    for keep in ("recall=0.9", "recall~0.9", "f1", "precision~0.95"):
        cut = made.curve.choose(KeepTarget.parse(keep)).score
        assert cut is not None
        choice = choose(scores, corpus, made, SelectionRequest(keep=keep))
        assert choice.rows.tolist() == [row for row in range(40) if rows[row]["score"] >= cut]
        taken[keep] = len(choice.rows)

    assert taken["recall=0.9"] >= taken["recall~0.9"] >= taken["precision~0.95"]
    with pytest.raises(InputError, match="Train it again"):
        choose(scores, corpus, replace(made, curve=None), SelectionRequest(keep="f1"))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"token_budget": 0}, "budget of 0"),
        ({"token_budget": -5}, "budget of -5"),
        ({"share": 0.0}, "share is 0"),
        ({"share": 1.5}, "share is 1.5"),
        ({"share": float("nan")}, "share is nan"),
        ({"threshold": float("inf")}, "threshold is inf"),
        ({"token_budget": 5, "threshold": 3}, "token_budget and threshold at once"),
        ({"threshold": 3, "keep": "f1"}, "threshold and keep at once"),
        ({"keep": "best"}, "keep is 'best'"),
        ({"keep": "share=0.1"}, "keep is a share"),
    ],
)
def test_nonsense_requests_are_refused(fields: dict, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        SelectionRequest(**fields)


def test_a_selection_is_a_snapshot_with_all_columns_its_card_and_report(tmp_path: Path) -> None:
    import yaml
    from datasets import load_dataset  # which reads the card's head

    rows = [document(n, 5 - n / 5, tokens=7) for n in range(30)]
    rows[4]["text"] = rows[0]["text"].upper() + "  "
    rows[2]["text"] = "<script>alert(1)</script> " + rows[2]["text"]
    scores, corpus = scored(tmp_path, rows, score=list(range(30)))
    request = SelectionRequest(token_budget=100)
    provenance = provenance_of(scores, corpus, request)
    assert find_made(str(tmp_path / "out"), provenance) is None

    choice = choose(scores, corpus, calibration(), request)
    selection = write_selection(scores, corpus, request, choice, str(tmp_path / "out"))

    selection.verify()
    table = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")).to_pandas()
    expected = [row for row in range(15) if row != 4]
    assert table["corpus_row"].tolist() == expected
    assert table["url"].tolist() == [f"https://example.org/{row}" for row in expected]
    assert table["license"].isna().sum() == sum(row % 2 for row in expected)
    assert table["source_score"].tolist() == expected
    np.testing.assert_allclose(table["score"], [rows[row]["score"] for row in expected])
    assert (selection.manifest.tokens, selection.manifest.tokenizer) == (98, "a count")
    assert selection.manifest.provenance["tokens_promised"] == 100
    assert pd.read_parquet(tmp_path / "out" / "_duplicates.parquet").to_dict("records") == [
        {"id": "d004", "kept_id": "d000"}
    ]
    card = (tmp_path / "out" / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["size_categories"] == ["n<1K"]
    assert "100 tokens promised, 98 realised (98.0%), counted by: a count." in card
    assert "| CC-BY-4.0 | " in card
    assert "| not stated | " in card
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script>" not in card + page
    assert "Best documents not selected" in page

    found = find_made(str(tmp_path / "out"), provenance)
    assert found is not None
    assert found.manifest == selection.manifest
    with pytest.raises(InputError, match="exists already"):
        find_made(str(tmp_path / "out"), provenance_of(scores, corpus, SelectionRequest(token_budget=99)))
    again = write_selection(scores, corpus, request, choice, str(tmp_path / "again"))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name
    assert json.loads((tmp_path / "again" / "manifest.json").read_text())["version"] == again.manifest.version


def test_columns_of_a_corpus_that_was_selected_before_are_all_kept(tmp_path: Path) -> None:
    rows = [document(n, n / 10) for n in range(10)]
    theirs = {"score": list(range(10)), "source_score": [f"s{n}" for n in range(10)], "grade": ["A"] * 10}
    scores, corpus = scored(tmp_path, rows, **theirs)
    request = SelectionRequest(share=0.5)

    choice = choose(scores, corpus, calibration(), request)
    selection = write_selection(scores, corpus, request, choice, str(tmp_path / "out"))

    table = pa.Table.from_batches(list(selection.batches())).to_pandas()
    assert len(set(table.columns)) == len(table.columns)
    assert table["source_score"].tolist() == [f"s{n}" for n in range(5, 10)]
    assert table["source_score_2"].tolist() == list(range(5, 10))
    assert table["source_grade"].tolist() == ["A"] * 5
    np.testing.assert_allclose(table["score"], [n / 10 for n in range(5, 10)])
