"""The ledger recognises documents that are not in the set at hand, by their near-duplicates and groups."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.dedup import signatures
from assay.errors import InputError
from assay.labels import Ledger, PreparedSplit, SplitConfig, split_documents, validate
from assay.rubric import Rubric
from assay.storage import write_snapshot

RUBRIC = Rubric("mine", 0, 5, 3)


def text_of(number: int) -> str:
    return " ".join(f"word{number}" for number in np.random.default_rng(number).integers(0, 100_000, 60))


def divided(
    folder: Path, texts: list[str], ledger: Ledger | None, *, groups: list[str] | None = None, seed: int = 0
) -> tuple[dict[str, str], PreparedSplit]:
    """Parts by text, of a set that is split with a ledger."""
    table = {"id": [f"{folder.name}-{n}" for n in range(len(texts))], "text": texts}
    table |= {"label": np.arange(len(texts)) % 6 * 1.0, **({"group": groups} if groups else {})}
    snapshot = write_snapshot(folder, pa.table(table).to_batches(), provenance={})
    documents = validate(snapshot, RUBRIC).documents
    made = split_documents(snapshot, documents, RUBRIC, ledger=ledger, config=SplitConfig(seed=seed))
    return dict(zip(texts, made.assignment["part"], strict=True)), made


def test_labels_by_period_leave_no_near_duplicate_pair_on_both_sides(tmp_path: Path) -> None:
    first = [text_of(n) for n in range(200)]
    second = [f"{text} or so" for text in first] + [text_of(n) for n in range(1000, 1100)]
    alone, ledger = Ledger(str(tmp_path / "alone")), Ledger(str(tmp_path / "ledger"))

    before, _ = divided(tmp_path / "first", first, ledger)
    after, _ = divided(tmp_path / "second", second, ledger, seed=1)

    assert [after[f"{text} or so"] for text in first] == [before[text] for text in first]
    without, _ = divided(tmp_path / "without", second, alone, seed=1)
    assert sum(without[f"{text} or so"] != before[text] for text in first) > 60, "by the ids alone, a third straddles"


def test_groups_of_an_earlier_period_are_followed(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    sites = [f"site{n % 60}" for n in range(180)]

    before, _ = divided(tmp_path / "first", [text_of(n) for n in range(180)], ledger, groups=sites)
    later = [text_of(n) for n in range(500, 680)]
    after, _ = divided(tmp_path / "second", later, ledger, groups=sites, seed=7)

    assert list(after.values()) == list(before.values())
    assert b"site" not in (tmp_path / "ledger" / "00000001.parquet").read_bytes()


def test_a_document_between_two_earlier_ones_is_set_aside(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    before, _ = divided(
        tmp_path / "first", [text_of(n) for n in range(100)], ledger, groups=[f"s{n}" for n in range(100)]
    )
    number = {part: next(n for n in range(100) if before[text_of(n)] == part) for part in ("train", "test")}
    later = [f"{text_of(number['train'])} or so", *(text_of(n) for n in range(500, 600))]

    _, made = divided(tmp_path / "second", later, ledger, groups=[f"s{number['test']}", *(f"n{n}" for n in range(100))])

    assert made.set_aside.to_dict("records") == [{"id": "second-0", "reason": "it links documents of train and test"}]


def test_a_ledger_of_an_earlier_release_opens_and_says_what_it_lacks(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    first = [text_of(n) for n in range(100)]
    before, _ = divided(tmp_path / "first", first, ledger)
    place = tmp_path / "ledger" / "00000001.parquet"
    old = pq.read_table(place)
    assert old.column_names == ["id", "part", "group", "signature"]
    place.unlink()
    pq.write_table(old.select(["id", "part"]), place)

    again, made = divided(tmp_path / "first-again" / "first", first, ledger, seed=5)
    later, other = divided(tmp_path / "second", [text_of(n) for n in range(500, 600)], ledger)

    assert again == before
    assert made.kept == 100
    assert made.unmarked == other.unmarked == 100
    assert "an earlier release recorded 100 documents of the ledger" in " ".join(other.sentences())
    marked = ledger.read_marked()[1]
    assert (len(marked), marked.unmarked) == (100, 100)
    assert set(marked.table["part"]) == set(later.values())


def test_damaged_signatures_are_refused(tmp_path: Path) -> None:
    table = pa.table({"id": ["a"], "part": ["train"], "group": pa.array([None], pa.string()), "signature": [b"short"]})
    (tmp_path / "ledger").mkdir()
    pq.write_table(table, tmp_path / "ledger" / "00000001.parquet")

    with pytest.raises(InputError, match=r"the entry cannot be read.*00000001.parquet"):
        Ledger(str(tmp_path / "ledger")).read_marked()


def test_marks_are_those_of_the_documents_in_whatever_order(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    texts = [text_of(n) for n in range(99, -1, -1)]

    parts, _ = divided(tmp_path / "first", texts, ledger)

    known, marked = ledger.read_marked()
    by_id = {f"first-{n}": parts[text] for n, text in enumerate(texts)}
    assert known == by_id
    assert dict(zip(marked.table["id"], marked.table["part"], strict=True)) == by_id
    of = pd.Series(list(marked.bits), index=marked.table["id"])
    for n in (0, 17, 99):
        np.testing.assert_array_equal(of[f"first-{n}"], signatures([texts[n]])[0])
