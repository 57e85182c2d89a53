"""Odd rows: a source of files gives all of them, or names the file at fault."""

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.sources import Columns, acquire, canonical, open_source
from assay.sources.schemas import unified

TEXT_LAYOUTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


def rows_of(path: Path, columns: Columns | None = None) -> list[dict[str, Any]]:
    source = open_source(str(path))
    names = columns or Columns()
    return [row for batch in source.batches() for row in canonical(batch, names, source.uri).to_pylist()]


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def column(cells: list[bytes | None], kind: pa.DataType) -> pa.Array:
    """Return text as a careless writer makes it: unchecked bytes in a column of strings."""
    plain = pa.array(cells, pa.binary()).view(pa.string())
    return plain.dictionary_encode() if pa.types.is_dictionary(kind) else plain.cast(kind)


def test_invalid_text_in_jsonl_becomes_the_replacement_character(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(
        b'\xef\xbb\xbf{"id": "a", "text": "lone \\ud800 and a pair \\ud83d\\ude00"}\n'
        b'{"id": "b", "text": "bytes \xff in \xc3\xa9", "more": {"inside": "\\udfff"}}\n'
        b'{"id": "c", "text": "encoded \xed\xa0\x80, NUL \\u0000", "\\ud800": 1}\n'
    )

    assert rows_of(tmp_path / "d.jsonl") == [
        {"id": "a", "text": "lone \ufffd and a pair 😀", "more": None, "\ufffd": None},
        {"id": "b", "text": "bytes \ufffd in é", "more": '{"inside": "\ufffd"}', "\ufffd": None},
        {"id": "c", "text": "encoded \ufffd, NUL \0", "more": None, "\ufffd": 1},
    ]


@pytest.mark.parametrize("kind", TEXT_LAYOUTS, ids=str)
def test_invalid_utf8_in_parquet_is_replaced_in_any_layout(tmp_path: Path, kind: pa.DataType) -> None:
    text = column([b"good", b"bad \xff\xfe end", None, "NUL \0 é".encode()], kind)
    table = pa.table({"text": text, "id": column([b"1", b"\xff2", b"3", b"4"], kind), "url": text, "site": text})
    pq.write_table(table, tmp_path / "d.parquet")

    snapshot = acquire(open_source(str(tmp_path)), Columns(group="site"), tmp_path / "snapshot")

    rows = [row for batch in snapshot.batches() for row in batch.to_pylist()]
    expected = ["good", "bad \ufffd\ufffd end", None, "NUL \0 é"]
    assert [row["id"] for row in rows] == ["1", "\ufffd2", "3", "4"]
    assert [row["text"] for row in rows] == [row["url"] for row in rows] == [row["group"] for row in rows] == expected


def test_texts_of_thirty_megabytes_pass(tmp_path: Path) -> None:
    texts = ["short", "é" * 15_000_000, "short too"]
    write_lines(tmp_path / "d.jsonl", [{"text": text} for text in texts])
    pq.write_table(pa.table({"text": texts}), tmp_path / "d.parquet")

    for name in ("d.jsonl", "d.parquet"):
        snapshot = acquire(open_source(str(tmp_path / name)), Columns(), tmp_path / f"snapshot of {name}")
        assert snapshot.take([0, 1, 2]) == texts


@pytest.mark.parametrize("name", ["d.jsonl", "d.parquet"])
def test_batches_of_large_documents_are_small(tmp_path: Path, name: str) -> None:
    rows = [{"text": f"{number}" * 10_000_000} for number in range(10)]
    if name == "d.jsonl":
        write_lines(tmp_path / name, rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name, use_dictionary=False)

    sizes = [batch.num_rows for batch in open_source(str(tmp_path / name)).batches()]

    assert sum(sizes) == 10
    assert max(sizes) == 6


def test_a_field_that_a_file_or_its_first_rows_leave_empty_is_null_there(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["p"], "url": pa.nulls(1), "n": [1]}), tmp_path / "1.parquet")
    pq.write_table(
        pa.table({"n": [2.5], "url": pa.array(["u"], pa.large_string()), "text": ["q"]}), tmp_path / "2.parquet"
    )
    write_lines(tmp_path / "3.jsonl", [{"text": "r", "url": None}])
    late = [{"text": "s", "none": None}] * 6_000 + [{"text": "t", "url": "late", "n": 3, "none": None, "new": [1]}]
    write_lines(tmp_path / "4.jsonl", late)

    with pytest.raises(InputError, match=r"'none' is in the first file and not in the second.*4.jsonl and .*1.parquet"):
        rows_of(tmp_path)
    for name in ("1", "2"):
        table = pq.read_table(tmp_path / f"{name}.parquet", partitioning=None)
        table = table.append_column("none", pa.nulls(1)).append_column("new", pa.nulls(1))
        pq.write_table(table, tmp_path / f"{name}.parquet")
    rows = [{name: value for name, value in row.items() if name != "id"} for row in rows_of(tmp_path)]

    nothing = {"url": None, "n": None, "none": None, "new": None}
    assert rows[:4] == [
        {"text": "p", **nothing, "n": 1.0},
        {"text": "q", **nothing, "n": 2.5, "url": "u"},
        {"text": "r", **nothing},
        {"text": "s", **nothing},
    ]
    assert rows[-1] == {"text": "t", "url": "late", "n": 3.0, "none": None, "new": "[1]"}
    assert len(rows) == 6_004


def test_files_with_conflicting_columns_are_both_named_before_anything_is_read(tmp_path: Path) -> None:
    for name, cells in (("1", pa.nulls(1)), ("2", [1]), ("3", ["one"])):
        pq.write_table(pa.table({"text": ["a"], "n": cells}), tmp_path / f"{name}.parquet")

    with pytest.raises(InputError, match=r"'n' is int64 .* string .*2\.parquet and .*3\.parquet"):
        next(open_source(str(tmp_path)).batches())


def test_a_column_may_have_numbers_in_one_file_without_types_and_words_in_the_next(tmp_path: Path) -> None:
    write_lines(tmp_path / "1.jsonl", [{"text": "a", "id": None}])
    write_lines(tmp_path / "2.jsonl", [{"text": "b", "id": 1}])
    write_lines(tmp_path / "3.jsonl", [{"text": "c", "id": "one"}])
    (tmp_path / "4.csv").write_text("id,text\n007,d\n")
    pq.write_table(pa.table({"id": [8], "text": ["e"]}), tmp_path / "5.parquet")

    assert [row["id"] for row in rows_of(tmp_path)] == [None, "1", "one", "007", "8"]


def test_a_number_that_the_wider_type_cannot_hold_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "n": [2**53 + 1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"text": ["a"], "n": [0.5]}), tmp_path / "2.parquet")

    with pytest.raises(InputError, match=r"'n' is int64 here and double in other files.*1\.parquet"):
        rows_of(tmp_path)


@given(
    st.lists(st.sampled_from([pa.null(), pa.int32(), pa.int64(), pa.float64(), *TEXT_LAYOUTS]), min_size=2, max_size=4)
)
def test_the_schema_does_not_depend_on_the_order_of_files(kinds: list[pa.DataType]) -> None:
    def outcome(order: tuple[pa.DataType, ...]) -> pa.DataType | None:
        try:
            files = [(f"{number}.parquet", pa.schema({"n": kind})) for number, kind in enumerate(order)]
            return unified(files, gaps=frozenset()).field("n").type
        except InputError:
            return None

    assert len({str(outcome(order)) for order in itertools.permutations(kinds)}) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inside: (
        st.lists(inside, max_size=2) | st.dictionaries(st.text(st.characters(), max_size=2), inside, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["id", "more", "\ud800", "é"]), JSON), min_size=1, max_size=5),
    data=st.data(),
)
def test_a_text_with_any_other_json_fields_is_a_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict], data: st.DataObject
) -> None:
    texts = [data.draw(st.text(st.characters(), max_size=5)) for _ in rows]
    path = tmp_path_factory.mktemp("json") / "d.jsonl"
    write_lines(path, [row | {"text": text} for row, text in zip(rows, texts, strict=True)])

    read = [row["text"] for row in rows_of(path)]

    assert read == [
        "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text) for text in texts
    ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).map(lambda noise: b'{"text": "' + noise) | st.binary(max_size=60), st.booleans())
def test_any_bytes_are_rows_or_a_clear_message(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, packed: bool
) -> None:
    path = tmp_path_factory.mktemp("noise") / ("d.jsonl.gz" if packed else "d.jsonl")
    path.write_bytes(gzip.compress(b'{"text": "a"}\n' * 50)[: -len(noise) - 1] + noise if packed else noise)

    try:
        rows_of(path)
    except InputError as error:
        assert path.name in str(error)


@pytest.mark.parametrize("line", ['{"text": ' + "[" * 100_000 + "}", '{"text": 1' + "0" * 5_000 + "}"])
def test_json_beyond_the_limits_of_a_parser_is_reported_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "d.jsonl").write_text('{"text": "a"}\n' + line)

    with pytest.raises(InputError, match=r"not valid JSON.*d\.jsonl, line 2"):
        rows_of(tmp_path / "d.jsonl")


def test_ids_that_are_lists_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "id": [["a", "b"]]}), tmp_path / "d.parquet")

    with pytest.raises(InputError, match=r"'id' holds list.*not text or numbers"):
        rows_of(tmp_path)
