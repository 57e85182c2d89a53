"""Validation: unusable rows are quarantined with their reason; rows with the same text become one document."""

from pathlib import Path

import pandas as pd
import pytest

from assay.errors import InputError
from assay.labels import LabelledDocument, Quarantined, read_labels, validate
from assay.rubric import Rubric, load_rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot

EDUCATION = load_rubric("education")


def snapshot_of(folder: Path, rows: list[dict], columns: Columns | None = None) -> Snapshot:
    pd.DataFrame(rows).to_parquet(folder / "d.parquet", index=False)
    return acquire(open_source(str(folder / "d.parquet")), columns or Columns(label="label"), folder / "snapshot")


def good(number: int, **changes: object) -> dict:
    return {"id": f"d{number}", "text": f"document {number}", "label": float(number % 6)} | changes


def test_the_shipped_sample_is_clean(tmp_path: Path, sample: list[dict]) -> None:
    checked = validate(snapshot_of(tmp_path, sample), EDUCATION)

    assert (len(checked.documents), len(checked.quarantine), checked.merged, checked.rows) == (450, 0, 0, 450)
    LabelledDocument.validate(checked.documents)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"text": None}, "no text"),
        ({"text": "  \n"}, "no text"),
        ({"text": "a\x00b"}, "NUL in the text"),
        ({"label": None}, "no label that is a number"),
        ({"label": float("inf")}, "no label that is a number"),
        ({"label": 6.0}, "label outside the scale 0 to 5"),
        ({"label": -1.0}, "label outside the scale 0 to 5"),
        ({"id": None}, "no id"),
        ({"id": "d3"}, "id of another text"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(tmp_path: Path, bad: dict, reason: str) -> None:
    rows = [good(number) for number in range(60)]
    rows[17] |= bad

    checked = validate(snapshot_of(tmp_path, rows), EDUCATION)

    assert checked.quarantine[["row", "reason"]].to_dict("records") == [{"row": 17, "reason": reason}]
    assert len(checked.documents) == 59
    assert 17 not in checked.documents["row"].tolist()
    Quarantined.validate(checked.quarantine)


def test_a_row_with_two_faults_is_counted_once(tmp_path: Path) -> None:
    rows = [good(number) for number in range(60)]
    rows[5] |= {"text": None, "label": 9.0}

    assert len(validate(snapshot_of(tmp_path, rows), EDUCATION).quarantine) == 1


def test_too_many_bad_rows_fail_with_the_reasons_and_the_first_place(tmp_path: Path) -> None:
    rows = [good(number, label=9.0 if number % 10 == 3 else 1.0 + number % 2) for number in range(60)]

    with pytest.raises(InputError, match=r"6 of 60 rows.*6 × label outside.*first at row 3") as raised:
        validate(snapshot_of(tmp_path, rows), EDUCATION)

    assert "d.parquet" in str(raised.value)
    assert len(validate(snapshot_of(_fresh(tmp_path), rows), EDUCATION, max_quarantined=0.2).documents) == 54


def test_rows_of_one_text_become_one_document_with_the_median_label(tmp_path: Path) -> None:
    rows = [good(number) for number in range(10)]
    rows += [
        good(20, text="Document  3", label=5.0),
        good(21, text="document 3", label=4.0),
        good(22, text="document 4"),
    ]

    checked = validate(snapshot_of(tmp_path, rows), EDUCATION)

    by_id = checked.documents.set_index("id")
    assert len(by_id) == 10
    assert (by_id.loc["d3", "label"], by_id.loc["d3", "copies"], by_id.loc["d3", "row"]) == (4.0, 3, 3)
    assert (checked.merged, checked.disagreeing) == (3, 1)


def test_copies_with_the_same_id_are_one_document_too(tmp_path: Path) -> None:
    rows = [good(number % 7) for number in range(21)]

    checked = validate(snapshot_of(tmp_path, rows), EDUCATION)

    assert len(checked.documents) == 7
    assert len(checked.quarantine) == 0


def test_groups_are_carried_and_equal_labels_refused(tmp_path: Path) -> None:
    rows = [good(number, site=f"s{number % 3}") for number in range(12)]
    checked = validate(snapshot_of(tmp_path, rows, Columns(label="label", group="site")), EDUCATION)
    assert checked.documents["group"].tolist() == [f"s{number % 3}" for number in range(12)]

    (tmp_path / "equal").mkdir()
    with pytest.raises(InputError, match="all 12 labels are 2"):
        validate(snapshot_of(tmp_path / "equal", [good(n, label=2.0) for n in range(12)]), EDUCATION)


def test_groups_that_share_a_text_become_one(tmp_path: Path) -> None:
    rows = [good(number, site=f"s{number % 5}") for number in range(20)]
    rows += [good(20, text="document 1", site="s3"), good(21, text="document 3", site="s4"), good(22, site=None)]

    checked = validate(snapshot_of(tmp_path, rows, Columns(label="label", group="site")), EDUCATION)

    groups = checked.documents.set_index("id")["group"]
    assert groups[["d1", "d3", "d4", "d6", "d19"]].tolist() == ["s1"] * 5
    assert groups[["d0", "d2"]].tolist() == ["s0", "s2"]
    assert groups.isna().tolist() == [name == "d22" for name in groups.index]


def test_a_missing_label_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no label column"):
        validate(snapshot_of(tmp_path, [good(1)], Columns()), EDUCATION)


def test_labels_can_be_read_without_a_rubric(tmp_path: Path) -> None:
    rows = [good(number) for number in range(10)]
    rows[2]["label"] = None
    assert sorted(set(read_labels(snapshot_of(tmp_path, rows)))) == [0, 1, 2, 3, 4, 5]
    assert isinstance(EDUCATION, Rubric)


def _fresh(folder: Path) -> Path:
    again = folder / "again"
    again.mkdir()
    return again


def test_validation_and_scoring_have_the_same_longest_text() -> None:
    from assay.inference import Limits
    from assay.labels.validate import LONGEST

    assert Limits().characters == LONGEST


def test_a_label_that_is_no_number_is_quoted_as_it_is_written(inputs: Path, tmp_path: Path) -> None:
    source = open_source(str(inputs / "messages-that-mislead" / "of5.jsonl"))
    snapshot = acquire(source, Columns(label="label"), tmp_path / "snapshot")

    with pytest.raises(InputError, match=r"no label that is a number, '\d/5'\)\. Correct them, or choose") as raised:
        validate(snapshot, load_rubric("education"))

    assert "max_quarantined" not in str(raised.value)
    with pytest.raises(InputError, match="or raise max_quarantined"):
        validate(snapshot, load_rubric("education"), max_quarantined=0.1)
