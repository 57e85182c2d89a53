"""What changed between two snapshots, and deleting documents by their ids."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.storage import Snapshot, difference, without, write_snapshot

DOCUMENTS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["one", "two", "three"])), min_size=1)


def snapshot(folder: Path, rows: list[tuple[str, str]]) -> Snapshot:
    table = pa.table({"id": [name for name, _ in rows], "text": [text for _, text in rows]})
    return write_snapshot(folder, table.to_batches(), provenance={}, replace=True)


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_a_difference_counts_what_no_matching_could_pair_up(
    tmp_path_factory: pytest.TempPathFactory, before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("difference")

    found = difference(snapshot(folder / "a", before), snapshot(folder / "b", after))

    equal = Counter(before) & Counter(after)
    gone, come = Counter(before) - equal, Counter(after) - equal
    changed = Counter(name for name, _ in gone.elements()) & Counter(name for name, _ in come.elements())
    assert found.same == equal.total()
    assert found.changed.documents == changed.total()
    assert found.removed.documents == gone.total() - changed.total()
    assert found.added.documents == come.total() - changed.total()
    assert found.none == (Counter(before) == Counter(after))


def test_the_order_of_rows_is_no_difference_and_a_column_is(tmp_path: Path) -> None:
    rows = [(str(n), f"text {n}") for n in range(300)]
    one, two = snapshot(tmp_path / "one", rows), snapshot(tmp_path / "two", rows[::-1])
    wider = write_snapshot(
        tmp_path / "wider",
        [pa.record_batch({"id": ["0"], "text": ["text 0"], "url": ["u"]})],
        provenance={},
    )

    assert difference(one, two).none
    found = difference(one, wider)
    assert found.columns_added == ("url",)
    assert (found.same, found.removed.documents, found.removed.examples[0]) == (1, 299, "1")


def test_deleted_documents_are_in_no_byte_of_the_new_version(tmp_path: Path) -> None:
    old = snapshot(tmp_path / "old", [(str(n), f"secret{n} text") for n in range(50)] + [("7", "secret7 again")])

    new = without(old, {"7", "12", "unknown"}, tmp_path / "new")

    assert new.manifest.rows == 48
    assert new.manifest.provenance["deleted"] == {"from": old.manifest.version, "ids": 2}
    assert not {"7", "12"} & set(new.take(range(48), "id"))
    assert difference(old, new).removed.documents == 3
    assert old.manifest.rows == 51


@pytest.mark.parametrize(("ids", "message"), [({"nobody"}, "none of the 1 ids"), ({"0", "1"}, "there is no row")])
def test_deleting_nothing_or_everything_writes_nothing(tmp_path: Path, ids: set[str], message: str) -> None:
    old = snapshot(tmp_path / "old", [("0", "a"), ("1", "b")])

    with pytest.raises(InputError, match=message):
        without(old, ids, tmp_path / "new")

    assert [path.name for path in tmp_path.iterdir()] == ["old"]
