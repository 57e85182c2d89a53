"""Files as people bring them: every row is read as it is written, or the message says what the file is."""

import gzip
import json
import shutil
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.sources import Columns, Damage, Passed, acquire, canonical, open_source, with_roles
from assay.sources.huggingface import HubSource
from assay.sources.names import free_names


def rows_of(place: Path, columns: Columns | None = None) -> list[dict[str, Any]]:
    """Return the rows that a strict reading gives, under Assay's names."""
    source, names = open_source(str(place)), columns or Columns()
    return [
        row
        for batch in source.batches(names.text, names.names)
        for row in canonical(batch, names, source.uri).to_pylist()
    ]


def tolerant(place: Path) -> tuple[list[dict[str, Any]], list[Damage | Passed]]:
    """Return the rows that can be read, and what is reported."""
    source = open_source(str(place))
    reported: list[Damage | Passed] = []
    schema = with_roles(source.readable_schema, "text", Columns().names)
    found = [
        row
        for member in source.members
        for batch in source.read(member, schema, reported.append)
        for row in batch.to_pylist()
    ]
    return found, reported


# JSON


@pytest.mark.parametrize(("name", "rows"), [("array.jsonl", 5), ("utf16.jsonl", 6), ("plain.jsonl.gz", 12)])
def test_json_in_other_forms_is_read(inputs: Path, name: str, rows: int) -> None:
    found = rows_of(inputs / "messages-that-mislead" / name)

    assert len(found) == rows
    assert all(row["text"] and "\ufffd" not in row["text"] for row in found)


DOCUMENTS = [{"id": f"d{n}", "text": f'Świt "{n}"\u2028, {{[' + "x" * n, "n": n, "more": {"a": [n]}} for n in range(7)]


def written(form: str) -> bytes:
    one_a_line = [json.dumps(row, ensure_ascii=False) for row in DOCUMENTS]
    return {
        "lines": "\n".join(one_a_line),
        "carriage returns": "\r".join(one_a_line),
        "both": "\r\n".join(one_a_line),
        "array": json.dumps(DOCUMENTS),
        "array over lines": json.dumps(DOCUMENTS, indent=2),
        "objects over lines": "\n".join(json.dumps(row, indent=2) for row in DOCUMENTS),
        "no space": "".join(one_a_line),
        "array with lines of objects": "[\n" + ",\n".join(one_a_line) + "\n]\n",
    }[form].encode()


FORMS = ("lines", "carriage returns", "both", "array", "array over lines", "objects over lines", "no space")


@pytest.mark.parametrize("form", [*FORMS, "array with lines of objects"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_form_and_encoding_of_json_gives_the_same_rows(tmp_path: Path, form: str, encoding: str) -> None:
    path = tmp_path / "d.json"
    path.write_bytes(written(form).decode().encode(encoding))

    found = rows_of(path)

    assert [{**row, "more": json.loads(row["more"])} for row in found] == DOCUMENTS


def test_values_larger_than_a_chunk_and_a_fault_behind_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.sources.values.CHUNK", 50)
    monkeypatch.setattr("assay.sources.jsonl.CHUNK", 300)
    path = tmp_path / "d.json"
    path.write_bytes(b'[{"text": "%s"}, {"text": "b"}, {"text": c}, {"text": "d"}]' % (b"a" * 999))

    found, reported = tolerant(path)

    assert [row["text"][0] for row in found] == ["a", "b"]
    assert [each.what for each in reported if isinstance(each, Damage)] == [
        "cannot be read from value 3 on: not valid JSON: Expecting value"
    ]
    with pytest.raises(InputError, match=r"not valid JSON: .*d\.json, value 3"):
        rows_of(path)


def test_a_python_dict_and_a_file_of_another_packing_are_named_as_what_they_are(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it is a Python dict; write it with json\.dumps .*dicts\.jsonl, line 1"):
        rows_of(inputs / "messages-that-mislead" / "dicts.jsonl")
    with pytest.raises(InputError, match=r"nothing in this source can be read: .* Python dict.*dicts\.jsonl, line 1"):
        tolerant(inputs / "messages-that-mislead" / "dicts.jsonl")
    (tmp_path / "d.jsonl.zst").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"it is no zstd, as its name says, but begins with b'GIF89a'"):
        rows_of(tmp_path / "d.jsonl.zst")


def test_a_text_that_is_no_text_is_a_reported_row_or_refused(inputs: Path) -> None:
    folder = inputs / "text-that-is-a-list"

    found, reported = tolerant(folder / "mixed.jsonl")

    assert [row["id"] for row in found] == [0, 1, 2, 3]
    assert [(each.place, each.what) for each in reported if isinstance(each, Damage)] == [
        ("line 5", "cannot be used: its 'text' is a list, not text"),
        ("line 6", "cannot be used: its 'text' is an object, not text"),
        ("line 7", "cannot be used: its 'text' is a number, not text"),
        ("line 8", "cannot be used: its 'text' is a truth value, not text"),
    ]
    with pytest.raises(InputError, match=r"its 'text' is a list, not text .*mixed\.jsonl, line 5"):
        rows_of(folder / "mixed.jsonl")
    with pytest.raises(InputError, match=r"its 'text' is a list, not text .*list\.jsonl, line 1"):
        rows_of(folder / "list.jsonl")
    # A field besides the text keeps its value, as JSON.
    (folder / "other.jsonl").write_text('{"text": "a", "more": [1]}\n{"text": "b", "more": "c"}\n')
    assert [row["more"] for row in rows_of(folder / "other.jsonl")] == ["[1]", "c"]


def test_fields_whose_names_are_data_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    rows = [{"text": "t", **{f"k{n}-{k}": 1 for k in range(3)}} for n in range(6_000)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    for read in (rows_of, tolerant):
        with pytest.raises(InputError, match=r"more than 2,000 different fields, the last one 'k666-.*line 667"):
            read(tmp_path / "d.jsonl")
    for n in range(5):
        (tmp_path / f"d{n}.jsonl").write_text(json.dumps({"text": "t", **{f"{n}-{k}": 1 for k in range(450)}}))
    (tmp_path / "d.jsonl").unlink()
    with pytest.raises(InputError, match=r"more than 2,000 different fields.*d4\.jsonl"):
        rows_of(tmp_path)


def test_ids_may_be_numbers_in_one_file_and_words_in_the_next(inputs: Path) -> None:
    assert [row["id"] for row in rows_of(inputs / "small-ones" / "ids")] == [
        *map(str, range(4)),
        *(f"x{n}" for n in range(4)),
    ]


# CSV


@pytest.mark.parametrize("name", ["big.csv", "zeros.csv", "hex.csv"])
def test_ids_of_csv_stay_as_they_are_written(inputs: Path, name: str) -> None:
    path = inputs / "csv-ids-lose-digits" / name
    lines = [line.split(",") for line in path.read_text().splitlines()[1:]]

    found = rows_of(path)

    assert [row["id"] for row in found] == [cells[0] for cells in lines]
    if name == "zeros.csv":
        assert {row["isbn"] for row in found} == {"0306406152"}


WRITTEN = st.lists(
    st.sampled_from(["", "0", "7", "07", "-0", "1.5", "1.50", "1e5", "1e-05", "nan", "NaN", "NA", "true", "True"])
    | st.integers().map(str)
    | st.floats().map(repr)
    | st.dates().map(str)
    | st.datetimes().map(str)
    | st.text("0123456789.-+eE", max_size=8),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(WRITTEN)
def test_no_column_of_csv_loses_a_digit(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "d.csv"
    pd.DataFrame({"text": "t", "id": cells, "group": cells, "more": cells}).to_csv(path, index=False)

    found = rows_of(path, Columns(group="group"))

    assert [row["id"] for row in found] == [row["group"] for row in found] == cells
    values = [row["more"] for row in found]
    if all(value is None or isinstance(value, float) for value in values):
        assert [value for value in values if value is not None] == [float(cell) for cell in cells if cell]
        assert all(not cell or Decimal(repr(float(cell))) == Decimal(cell) for cell in cells)
    else:
        assert ["" if value is None else str(value).lower() for value in values] == [cell.lower() for cell in cells]


def test_numbers_dates_and_missing_cells_of_csv_have_types(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(
        "text,n,x,day,time,yes,none\nNA,1,1,2026-01-31,2026-01-31 10:00:00,true,\nb,,2.5,,,,\n"
    )

    table = pa.Table.from_batches(list(open_source(str(tmp_path / "d.csv")).batches()))

    kinds = [pa.string(), pa.int64(), pa.float64(), pa.date32(), pa.timestamp("s"), pa.bool_(), pa.string()]
    assert table.schema.types == kinds
    assert table["text"].to_pylist() == ["NA", "b"]
    assert [table[name].to_pylist()[1] for name in ("n", "x", "day", "time", "yes")] == [None, 2.5, None, None, None]


def test_the_whole_column_of_csv_decides_and_no_row_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.sources.csv_files.BLOCK", 1_000)
    rows = [f"{n},text of row {n}," for n in range(300)]
    rows[200] = "x200," + "y" * 50_000 + ","
    rows[250] = f"250,{'z' * 2_000},,one too many"
    rows[280] = '280,"two\nlines",'
    path = tmp_path / "d.csv"
    path.write_text("id,text,note\n" + "\n".join(rows) + "\n")

    found, reported = tolerant(path)

    assert [row["id"] for row in found] == [str(n) if n != 200 else "x200" for n in range(300) if n != 250]
    assert len(found[200]["text"]) == 50_000
    assert found[279]["text"] == "two\nlines"
    assert reported == [Damage("line 252", "has 4 cells instead of 3")]


def test_a_quote_that_is_not_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.sources.csv_files.BLOCK", 1_000)
    monkeypatch.setattr("assay.sources.csv_files.LARGEST", 10_000)
    (tmp_path / "d.csv").write_text("id,text\n1,a\n" + '2,"b\n' + "3,c and more\n" * 5_000)

    with pytest.raises(InputError, match=r"a row is longer than 0 MiB; a quote may not be closed"):
        rows_of(tmp_path / "d.csv")


# Parquet


def test_uuids_of_parquet_are_text_in_every_column(inputs: Path, tmp_path: Path) -> None:
    assert all(uuid.UUID(row["id"]) for row in rows_of(inputs / "small-ones" / "uuid.parquet"))
    ids = [uuid.UUID(int=n << 100 | n) for n in range(5)]
    column = pa.array([None if n == 2 else each.bytes for n, each in enumerate(ids)], pa.binary(16)).cast(pa.uuid())
    pq.write_table(pa.table({"text": list("abcde"), "parent": column}), tmp_path / "d.parquet", row_group_size=2)

    found = [row["parent"] for row in rows_of(tmp_path / "d.parquet")]

    assert found == [None if n == 2 else str(each) for n, each in enumerate(ids)]


# Folders


def test_packed_files_of_lines_are_read_and_the_others_counted(inputs: Path) -> None:
    folder = inputs / "files-passed-over-silently" / "folder"
    (folder / "notes.txt").write_text("x")
    (folder / "more.txt").write_text("x")
    (folder / "dataset_infos.json").write_text("{}")
    (folder / "LICENSE").write_text("x")

    source = open_source(str(folder))

    assert source.members == ("a.jsonl", "b.json.gz", "c.jsonl.bz2", "d.ndjson", "e.csv.gz")
    assert len(rows_of(folder)) == 58
    assert {(each.reason, each.count, each.first) for each in source.passed} == {
        ("another kind: .txt", 2, "more.txt"),
        ("another kind: no ending", 1, "LICENSE"),
        (".json beside other kinds, which is mostly about the data", 1, "dataset_infos.json"),
    }


def test_links_are_followed_once_and_hidden_names_passed_over(inputs: Path, tmp_path: Path) -> None:
    data = inputs / "linked-folders-and-temporary" / "data"
    folder = tmp_path / "folder"
    for name in ("_temporary/0", ".ipynb_checkpoints", "_date=1", "sub"):
        (folder / name).mkdir(parents=True)
        shutil.copy(data / "a.parquet", folder / name / "c.parquet")
    (folder / "linked").symlink_to(data)
    (folder / "again").symlink_to(folder / "sub")
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "gone.parquet").symlink_to(tmp_path / "nothing")
    (folder / "_SUCCESS").write_text("")

    source = open_source(str(folder))

    assert source.members == ("_date=1/c.parquet", "linked/a.parquet", "linked/b.parquet", "sub/c.parquet")
    assert {(each.reason, each.count) for each in source.passed} == {
        ("hidden: the name begins with . or _", 3),
        ("a link to a folder that is read already", 2),
        ("a link to nothing", 1),
    }
    store = fsspec.filesystem("memory")
    for name in source.members:
        store.put(str(folder / name), f"/linked-bucket/{name}")
    store.put(str(folder / "_temporary/0/c.parquet"), "/linked-bucket/_temporary/0/c.parquet")
    remote = open_source("memory://linked-bucket")
    assert remote.members == source.members
    assert [(each.count, each.first) for each in remote.passed] == [(1, "_temporary/")]


def test_what_assay_made_of_a_folder_is_no_source_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    pq.write_table(pa.table({"text": ["a"], "id": ["1"]}), folder / "a.parquet")
    acquire(open_source(str(folder)), Columns(), folder / "out")
    (folder / "model").mkdir()
    (folder / "model" / "assay.json").write_text("{}")
    shutil.copy(folder / "a.parquet", folder / "model" / "seen.parquet")
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"text": ["b"], "id": ["2"]}), other / "b.parquet")
    acquire(open_source(str(other)), Columns(), folder / "of another")

    source = open_source(str(folder))

    assert source.members == ("a.parquet", "of another/part-00000.parquet")
    assert next((each.count, each.first) for each in source.passed if each.reason == "written by Assay") == (
        2,
        "model/",
    )
    assert acquire(open_source(str(folder / "out")), Columns(), tmp_path / "copy").manifest.rows == 1


def test_a_source_that_changes_while_it_is_read_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "a"}\n' * 12_000)
    source = open_source(str(path))
    batches = source.batches

    def changing(*columns: Any) -> Any:
        for batch in batches(*columns):
            yield batch
            path.write_text('{"text": "b"}\n' * 12_000)

    object.__setattr__(source, "batches", changing)

    with pytest.raises(InputError, match="the source changed while it was read"):
        acquire(source, Columns(), tmp_path / "copy")

    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


# Names of columns


def test_a_column_with_a_name_of_ours_is_kept_under_a_free_one(inputs: Path) -> None:
    found = rows_of(inputs / "source-prefix-collides" / "label-and-source_label.jsonl")

    assert list(found[0]) == ["id", "text", "source_label_2", "source_label"]
    assert [row["source_label_2"] for row in found] == list(range(6))
    assert {row["source_label"] for row in found} == {"from the web"}


@given(st.lists(st.sampled_from(["a", "b", "source_a", "source_a_2", "source_source_a", "c"]), unique=True))
def test_free_names_are_free_and_names_of_the_user_stay(names: list[str]) -> None:
    kept = free_names(names, {"a", "b"})

    assert list(kept) == names
    assert len(set(kept.values())) == len(names)
    assert not {"a", "b"} & set(kept.values())
    assert all(kept[name] == name for name in names if name not in ("a", "b"))


def test_a_gzip_that_is_cut_off_gives_its_lines(tmp_path: Path) -> None:
    data = b"".join(b'{"text": "%d"}\n' % (n * 7919 % 10_007) for n in range(50_000))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(data)[:-5_000])

    found, reported = tolerant(tmp_path / "d.jsonl.gz")

    assert len(found) > 40_000
    assert len(reported) <= 2


# Extensions and hubs


class _NoPlace:
    def read(self, _size: int = -1) -> bytes:
        return b""


def panic(*_: object, **__: object) -> Any:
    """Panic as an extension in Rust does: the exception is no Exception."""
    from fastwarc.warc import ArchiveIterator

    yield ArchiveIterator(_NoPlace())


@pytest.mark.parametrize("kind", ["parquet", "warc"])
def test_a_panic_of_an_extension_costs_only_its_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "d.parquet")
    (tmp_path / "d.warc").write_bytes(b"")
    monkeypatch.setattr("assay.sources.files._parquet", panic)
    monkeypatch.setattr("assay.sources.warc.read_batches", panic)
    source = open_source(str(tmp_path / f"d.{kind}"))
    reported: list[Damage | Passed] = []

    assert not list(source.read(source.members[0], source.readable_schema, reported.append))

    assert [each.what.split(":")[0] for each in reported if isinstance(each, Damage)] == [
        f"this {kind} file cannot be read"
    ]
    with pytest.raises(InputError, match="cannot be read: called `Result::unwrap"):
        list(source.batches())


def test_a_configuration_of_a_hub_dataset_is_named_and_images_are_not_decoded(inputs: Path) -> None:
    parsed = open_source("hf://datasets/owner/name@abc/big/validation")
    assert (parsed.config, parsed.split, parsed.revision) == ("big", "validation", "abc")
    with pytest.raises(InputError, match="pinned revision"):
        open_source("hf://datasets/owner/name@abc/a/b/c")
    own = inputs / "hub-configs-and-images" / "own"

    def hub(name: str, config: str) -> HubSource:
        return HubSource("hf://datasets/owner/name@1", str(own / name), "1", "train", config)

    with pytest.raises(InputError, match=r"available configs: \['small', 'big'\].*@1/CONFIG/train"):
        list(hub("cfg", "").batches())
    with pytest.raises(InputError, match=r"'nope' not found\. Available: \['small', 'big'\]"):
        list(hub("cfg", "nope").batches())

    def rows(name: str, config: str) -> list[dict[str, Any]]:
        return [row for batch in hub(name, config).batches() for row in batch.to_pylist()]

    for config in ("small", "big"):
        assert [row["id"] for row in rows("cfg", config)] == [f"{config[0]}{n}" for n in range(5)]
    first, second = rows("image", "")
    assert first["image"]["bytes"].startswith(b"\x89PNG")
    assert second["image"] is None
