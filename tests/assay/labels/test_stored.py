"""Files of labelled sets and models: a set is read back equal, and damaged files are refused."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from assay.errors import InputError
from assay.labels import SplitConfig, StoredSet, read_held_out, split_documents, validate, write_held_out
from assay.rubric import Rubric
from assay.storage import write_snapshot

RUBRIC = Rubric("quality", 0, 5, 3)


@pytest.fixture
def stored(tmp_path: Path) -> StoredSet:
    rows = {
        "id": [f"d{n}" for n in range(60)],
        "text": [f"document {n} of " + "many " * n for n in range(60)],
        "label": [float(n % 6) for n in range(60)],
    }
    snapshot = write_snapshot(tmp_path / "snapshot", pa.table(rows).to_batches(), provenance={})
    checked = validate(snapshot, RUBRIC)
    made = split_documents(snapshot, checked.documents, RUBRIC, ledger=None, config=SplitConfig())
    return StoredSet(RUBRIC, tmp_path / "snapshot", checked.documents, checked.quarantine).split_as(made)


def test_a_set_is_read_back_equal(stored: StoredSet, tmp_path: Path) -> None:
    stored.write(tmp_path / "set")

    found = StoredSet.read(tmp_path / "set")

    assert (found.rubric, found.leakage) == (stored.rubric, stored.leakage)
    pd.testing.assert_frame_equal(found.documents, stored.documents)
    assert found.assignment is not None
    pd.testing.assert_frame_equal(found.assignment, stored.assignment)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "set.json cannot be read: Expecting property name"),
        ("{}", "set.json cannot be read: rubric: field required"),
        ('{"rubric": {"name": "a", "low": 0}, "leakage": null}', "rubric.high: field required"),
    ],
)
def test_a_damaged_set_is_refused(stored: StoredSet, tmp_path: Path, content: str, fault: str) -> None:
    stored.write(tmp_path / "set")
    (tmp_path / "set" / "set.json").write_text(content)

    with pytest.raises(InputError) as raised:
        StoredSet.read(tmp_path / "set")

    assert fault in str(raised.value)
    with pytest.raises(InputError, match="no labelled set in this folder"):
        StoredSet.read(tmp_path)


def test_damaged_held_out_scores_are_refused(tmp_path: Path) -> None:
    assert read_held_out(tmp_path) == {}
    write_held_out(tmp_path, ["a", "b"], pd.Series([0.5, 1.5]).to_numpy())
    assert read_held_out(tmp_path) == {"a": 0.5, "b": 1.5}

    (tmp_path / "held_out.parquet").write_bytes(b"x")

    with pytest.raises(InputError, match=r"held_out\.parquet cannot be read.*Get the model again"):
        read_held_out(tmp_path)
