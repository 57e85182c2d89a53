"""The ledger: what was assigned stays, and of two writers one wins."""

import json
import uuid
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from racing import CONTEXT, run_at_once

from assay.errors import InputError
from assay.labels import Ledger


def table(**parts: str) -> pd.DataFrame:
    return pd.DataFrame({"id": list(parts), "part": list(parts.values())})


@pytest.fixture(params=["folder", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return Ledger(str(tmp_path / "ledger") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/ledger")


def test_a_ledger_that_does_not_exist_yet_is_empty(ledger: Ledger) -> None:
    assert ledger.number() == 0
    assert ledger.read() == {}


def test_what_is_appended_is_read_by_all(ledger: Ledger) -> None:
    ledger.append(table(a="train", b="test"), {})
    ledger.append(table(a="train", b="test", c="calibration"), ledger.read())

    assert Ledger(ledger.url).read() == {"a": "train", "b": "test", "c": "calibration"}
    assert ledger.number() == 2


def test_an_entry_holds_the_new_documents_and_a_note(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append(table(a="train"), {})

    ledger.append(table(c="test", a="train", b="train"), ledger.read(), provenance={"seed": 3})

    entry = pq.read_table(tmp_path / "00000002.parquet")
    assert entry.to_pydict() == {"id": ["b", "c"], "part": ["train", "test"]}
    note = json.loads(entry.schema.metadata[b"assay"])
    assert note["documents"] == 2
    assert note["seed"] == 3
    assert note["created"]


def test_documents_set_aside_are_not_recorded(ledger: Ledger) -> None:
    ledger.append(table(a="train", b="set_aside"), {})

    assert ledger.read() == {"a": "train"}


def test_nothing_new_writes_nothing(ledger: Ledger) -> None:
    ledger.append(table(a="train"), {})

    ledger.append(table(a="train", b="set_aside"), ledger.read())
    ledger.append(table(), ledger.read())

    assert ledger.number() == 1


def test_an_assignment_made_from_an_old_reading_is_refused(ledger: Ledger) -> None:
    old = ledger.read()
    ledger.append(table(a="train"), old)

    with pytest.raises(InputError, match="Run the split again"):
        ledger.append(table(a="test", b="train"), old)

    assert ledger.read() == {"a": "train"}


def _write(start: Barrier, url: str, name: str, known: dict[str, str], outcomes: "list[str]") -> None:
    start.wait()
    try:
        Ledger(url).append(table(**{name: "train"}), known)
        outcomes.append(name)
    except InputError as error:
        outcomes.append(str(error))


def test_of_writers_at_the_same_time_exactly_one_succeeds(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.append(table(first="test"), {})
    known = ledger.read()

    with CONTEXT.Manager() as manager:
        outcomes = manager.list()
        run_at_once(_write, *[(ledger.url, f"writer{n}", known, outcomes) for n in range(3)])
        said = list(outcomes)

    winners = [word for word in said if word.startswith("writer")]
    assert len(winners) == 1
    assert sum("Run the split again" in word for word in said) == 2
    assert ledger.read() == {"first": "test", winners[0]: "train"}
    assert sorted(file.name for file in Path(ledger.url).iterdir()) == ["00000001.parquet", "00000002.parquet"]


def test_a_lost_entry_is_noticed(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append(table(a="test"), {})
    ledger.append(table(b="train"), ledger.read())
    (tmp_path / "00000001.parquet").unlink()

    with pytest.raises(InputError, match="not numbered"):
        ledger.read()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (pd.DataFrame({"id": ["b"], "part": ["holdout"]}), "unknown part"),
        (pd.DataFrame({"id": ["a"], "part": ["test"]}), "earlier entry"),
        (pd.DataFrame({"name": ["b"]}), "cannot be read"),
        (b"no Parquet", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_a_damaged_entry_is_refused_by_name(tmp_path: Path, entry: pd.DataFrame | bytes, message: str) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append(table(a="train"), {})
    file = tmp_path / "00000002.parquet"
    file.write_bytes(entry) if isinstance(entry, bytes) else entry.to_parquet(file, index=False)

    with pytest.raises(InputError, match=message) as refusal:
        ledger.read()

    assert "00000002.parquet" in str(refusal.value)
