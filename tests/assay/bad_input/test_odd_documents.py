"""Documents that are odd: each costs itself, and the command succeeds and reports it."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assay.inference import Limits
from assay.labels.validate import LONGEST
from bad_input.table import SHARD, Good, half_gzip, lines, parquet, without_footer, write

REASONS = {
    "empty": "no text",
    "nul": "NUL in the text",
    "again": "id of another text",
    "range": "label outside the scale 0 to 5",
    "long": f"text longer than {LONGEST:,} characters",
}


@pytest.fixture(scope="module")
def odd(good: Good, sample: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good corpus with documents that are odd: each costs itself, and nothing else."""
    path = tmp_path_factory.mktemp("odd") / "odd.jsonl"
    rows = [
        {"id": "empty", "text": "", "label": 2},
        {"id": "nul", "text": f"{sample[400]['text']}\0", "label": 2},
        {"id": good.rows[0]["id"], "text": "The id of another document, under a text of its own.", "label": 1},
        {"id": "copy", "text": good.rows[1]["text"], "label": good.rows[1]["label"]},
        {"id": "range", "text": "A label that no scale has; the text itself is as good as any.", "label": 9},
        {"id": "long", "text": ("Thirty megabytes of this. " * 1_200_000)[:30_000_000], "label": 3},
    ]
    latin = lines([{"id": "latin", "text": f"Caf\xe9. {sample[401]['text']}", "label": 3}])
    path.write_bytes(lines(good.rows) + latin.replace(rb"\u00e9", b"\xe9") + lines(rows))
    return path


def test_a_model_is_trained_on_what_is_good_and_the_report_names_the_rest(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    before = len(forker.said())
    assert forker.run(good.command("train", tmp_path, odd))[0] == [0], forker.said()[before:]

    assert "161 documents, 5 quarantined, 1 merged" in forker.said()[before:]
    report = (tmp_path / "model" / "report.html").read_text()
    assert all(f"<td>{reason}</td>" in report for reason in REASONS.values())
    assert Limits().characters == LONGEST, "nothing is trained on that would not be scored"


def test_a_model_is_evaluated_on_what_is_good_and_the_report_counts_the_rest(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    before = len(forker.said())
    assert forker.run(good.command("evaluate", tmp_path, odd))[0] == [0], forker.said()[before:]

    assert "161 documents, 5 quarantined, 1 merged" in forker.said()[before:]
    fields = json.loads((tmp_path / "report.json").read_text())
    assert fields["documents"] == 161
    assert fields["quarantined"] == dict.fromkeys(REASONS.values(), 1)
    page = (tmp_path / "report.html").read_text()
    assert all(f"<td>{reason}</td>" in page for reason in REASONS.values())


def test_every_document_has_a_score_or_a_reason_and_none_without_a_score_is_selected(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    score = good.command("score", tmp_path, odd)
    select = ["select", str(odd), "--model", str(good.model), "--scores", str(tmp_path / "scores"), "--share", "1"]
    before = len(forker.said())
    assert forker.run(score)[0] == [0], forker.said()[before:]
    assert forker.run([*select, "--output", str(tmp_path / "selection")])[0] == [0], forker.said()[before:]

    (plan,) = (tmp_path / "scores").glob("*/_plan.json")
    table = pd.read_parquet(plan.parent)
    assert len(table) == 167
    reasons = table.set_index("id")["reason"].dropna().to_dict()
    assert reasons == {"empty": "no text", "long": "too long"}
    assert "no score: no text 1" in forker.said()[before:]
    assert "no score: too long 1" in forker.said()[before:]
    selected = pd.concat(pd.read_parquet(path) for path in (tmp_path / "selection").glob("part-*.parquet"))
    assert not {"empty", "long"} & set(selected["id"])
    assert {"nul", "latin", "range", good.rows[0]["id"]} <= set(selected["id"])
    text = selected.set_index("id").loc["latin", "text"]
    assert text.startswith("Caf\ufffd. "), "repaired, and the damage is visible"
    duplicates = pd.read_parquet(tmp_path / "selection" / "_duplicates.parquet")
    assert len(selected) + len(duplicates) == 165


def test_a_snapshot_is_built_of_what_is_good_and_the_rest_is_told(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.link(odd, source / "a.jsonl")
    (source / "b.jsonl.gz").write_bytes(half_gzip(good))
    (source / "c.parquet").write_bytes(without_footer(good))
    (source / "d.jsonl").write_bytes(lines(good.rows[:1]).replace(b"text", b'text": "x", "x') + b"{\n[]\n")
    # Without the search for duplicates, which takes half a minute for thirty megabytes of text.
    command = [*good.command("build", tmp_path, source), "--keep-duplicates"]
    before = len(forker.said())

    codes, _ = forker.run(command)

    assert codes == [0], forker.said()[before:]
    kept = pd.read_parquet(tmp_path / "new" / SHARD)
    dropped = pd.read_parquet(tmp_path / "new" / "_dropped.parquet")
    assert dropped.loc[dropped["id"] == "empty", "reason"].tolist() == ["no text"]
    lost = dropped[dropped["reason"] == "unreadable"].set_index("member")["detail"]
    assert "cannot be read" in lost["c.parquet"]
    assert "Truncated compressed stream" in lost["b.jsonl.gz"]
    assert sorted(line.split()[1] for line in lost["d.jsonl"]) == ["2", "3"]
    ids = kept["id"].tolist()
    assert {"nul", "copy", "range", "latin", "long"} <= set(ids)
    assert ids.count(good.rows[0]["id"]) >= 2, "ids are the source's own, and so is their doubling"
    assert len(kept.loc[kept["id"] == "long", "text"].iloc[0]) > 29_000_000
    assert kept.loc[kept["id"] == "latin", "text"].iloc[0].startswith("Caf\ufffd")


def test_csv_in_another_encoding_is_repaired(good: Good, forker: Any, tmp_path: Path) -> None:
    write(tmp_path / "d.csv", "id,text\na,Un café au lait.\nb,Plain words.\n".encode("latin-1"))

    assert forker.run(good.command("score", tmp_path, tmp_path / "d.csv"))[0] == [0], forker.said()

    (corpus,) = (tmp_path / "scores" / "corpora").iterdir()
    assert pd.read_parquet(corpus / SHARD)["text"].tolist() == ["Un caf\ufffd au lait.", "Plain words."]


def test_few_documents_are_evaluated_without_intervals(good: Good, forker: Any, tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(parquet(good.rows[:8]))
    before = len(forker.said())

    assert forker.run(good.command("evaluate", tmp_path, tmp_path / "d.parquet"))[0] == [0]

    assert "too few for intervals" in forker.said()[before:]
