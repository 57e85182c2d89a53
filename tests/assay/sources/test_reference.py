"""Parquet is read where it lies: the same rows as in a copy, by ranges, and never other content than was meant."""

import io
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.cli import main
from assay.errors import InputError
from assay.sources import Columns, acquire, open_corpus, open_source, refer
from assay.storage import Snapshot, without

FILES, ROWS, GROUP = 4, 300, 60
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "goes", "home", "to", "sleep"]


def table(file: int, **more: Any) -> pa.Table:
    texts = [
        " ".join([WORDS[(n * 7 + k * (n + 3)) % len(WORDS)] for k in range(40)] + [f"{file}-{n}"]) for n in range(ROWS)
    ]
    columns = {
        "key": pa.array([file * ROWS + n for n in range(ROWS)], pa.int64()),
        "content": pa.array(texts),
        "url": [f"https://example.org/{file}/{n}" for n in range(ROWS)],
        "text": ["a column with a name of Assay's"] * ROWS,
        "site": pa.array([["one", "two", None][n % 3] for n in range(ROWS)]).dictionary_encode(),
    }
    return pa.table({**columns, **more})


def packed(table: pa.Table) -> bytes:
    data = io.BytesIO()
    pq.write_table(table, data, row_group_size=GROUP)
    return data.getvalue()


@pytest.fixture
def folder(s3: str, tmp_path: Path) -> str:
    """A crawl in the store."""
    url = f"{s3}/{tmp_path.name}/crawl"
    files = fsspec.filesystem("s3")
    for file in range(FILES):
        files.pipe_file(f"{url}/2026/{file}.parquet", packed(table(file)))
    return url


COLUMNS = Columns(text="content", id="key")


def rows(snapshot: Snapshot, **how: Any) -> pa.Table:
    return pa.Table.from_batches([batch for _, batch in snapshot.rows(**how)])


@pytest.mark.parametrize("columns", [COLUMNS, Columns(text="content"), Columns()], ids=["ids", "digests", "own names"])
def test_the_rows_are_those_of_a_copy(folder: str, columns: Columns, tmp_path: Path) -> None:
    source = open_source(folder)

    lying = refer(source, columns, str(tmp_path / "lying"))

    copied = acquire(source, columns, tmp_path / "copied")
    assert lying.manifest.schema == copied.manifest.schema
    assert lying.manifest.rows == FILES * ROWS
    assert rows(lying).equals(rows(copied))
    some = {"start": ROWS - 10, "stop": 2 * ROWS + 70, "columns": ["id", "source_text"][: 1 + (columns.text != "text")]}
    assert rows(lying, **some).equals(rows(copied, **some))
    assert lying.take([1199, 5, 600]) == copied.take([1199, 5, 600])
    assert lying.take([7], "id") == copied.take([7], "id")
    assert refer(source, columns, str(tmp_path / "again")).manifest.version == lying.manifest.version
    assert [path.name for path in (tmp_path / "lying").iterdir()] == ["manifest.json"], "nothing is copied"


def test_footers_and_wanted_row_groups_are_all_that_is_fetched(folder: str, sent: list, tmp_path: Path) -> None:
    sizes = {each["Key"]: each["size"] for each in fsspec.filesystem("s3").find(folder, detail=True).values()}
    for number in range(FILES):  # large enough that a footer is little of it
        noise = pa.array([b"%064d" % (n * 7919 % 1000) * 64 for n in range(ROWS)])
        name = f"{folder}/2026/{number}.parquet"
        fsspec.filesystem("s3").pipe_file(name, packed_plain(table(number, noise=noise)))
    fsspec.filesystem("s3").invalidate_cache()
    sizes = {name: each["size"] for name, each in fsspec.filesystem("s3").find(folder, detail=True).items()}
    sent.clear()

    snapshot = refer(open_source(folder), COLUMNS, str(tmp_path / "lying"))

    got = {name: sum(each.bytes for each in sent if each.name == name) for name in sizes}
    assert all(0 < got[name] < sizes[name] / 10 for name in sizes)
    sent.clear()
    assert len(snapshot.take([ROWS + 1, ROWS + 2], "url")) == 2
    got = {name: sum(each.bytes for each in sent if each.name == name) for name in sizes}
    (read,) = [name for name in sizes if got[name]]
    assert read.endswith("/1.parquet"), "one file has these rows"
    assert got[read] < sizes[read] / 10


def packed_plain(table: pa.Table) -> bytes:
    data = io.BytesIO()
    pq.write_table(table, data, row_group_size=GROUP, compression="none", use_dictionary=False)
    return data.getvalue()


def test_a_file_that_changed_is_named(folder: str, tmp_path: Path) -> None:
    snapshot = refer(open_source(folder), COLUMNS, str(tmp_path / "lying"))
    other = table(2).set_column(2, "url", pa.array(["https://example.org/other"] * ROWS))
    fsspec.filesystem("s3").pipe_file(f"{folder}/2026/2.parquet", packed(other))

    assert len(snapshot.take([0, ROWS])) == 2, "the others are as they were"
    with pytest.raises(InputError, match=r"file 2026/2\.parquet changed since the snapshot was made of it"):
        snapshot.take([2 * ROWS])
    with pytest.raises(InputError, match=r"file 2026/2\.parquet changed"):
        Snapshot.open(tmp_path / "lying").verify()
    assert main(["snapshot", "verify", str(tmp_path / "lying")]) == 2
    fsspec.filesystem("s3").rm(f"{folder}/2026/2.parquet")
    with pytest.raises(InputError, match=r"file 2026/2\.parquet is missing"):
        snapshot.take([2 * ROWS])


def test_a_file_that_changes_between_two_ranges_is_noticed(folder: str, tmp_path: Path) -> None:
    snapshot = refer(open_source(folder), COLUMNS, str(tmp_path / "lying"))
    batches = snapshot.rows(0, ROWS)
    next(batches)
    fsspec.filesystem("s3").pipe_file(f"{folder}/2026/0.parquet", packed(table(9)))

    with pytest.raises(InputError, match=r"file 2026/0\.parquet changed"):
        list(batches)


def test_a_corpus_in_a_store_is_not_copied_and_the_command_asks_for_either(folder: str, tmp_path: Path) -> None:
    corpus = open_corpus(folder, COLUMNS, str(tmp_path / "work"))

    assert corpus.manifest.reference
    assert open_corpus(folder, COLUMNS, str(tmp_path / "work")) == corpus
    wanted = ["snapshot", "adopt", folder, "--text-column", "content", "--id-column", "key", "--output"]
    assert main([*wanted, str(tmp_path / "lying")]) == main([*wanted, str(tmp_path / "copied"), "--copy"]) == 0
    assert Snapshot.open(tmp_path / "lying").manifest.version == corpus.manifest.version
    assert Snapshot.open(tmp_path / "copied").manifest.reference is None
    # A version without some documents is a copy: the files belong to somebody else.
    left = without(corpus, {"0", "1199"}, tmp_path / "left")
    assert left.manifest.rows == FILES * ROWS - 2


def test_files_of_a_disk_are_read_where_they_lie_if_asked_and_are_pinned_by_their_bytes(tmp_path: Path) -> None:
    for file in range(2):
        (tmp_path / f"{file}.parquet").write_bytes(packed(table(file)))
    source = open_source(str(tmp_path))

    snapshot = refer(source, COLUMNS, str(tmp_path / "lying"))

    assert rows(snapshot).equals(rows(acquire(source, COLUMNS, tmp_path / "copied")))
    assert open_corpus(str(tmp_path), COLUMNS, str(tmp_path / "work")).manifest.reference is None
    (tmp_path / "1.parquet").write_bytes(packed(table(5)))
    with pytest.raises(InputError, match=r"file 1\.parquet changed"):
        Snapshot.open(tmp_path / "lying").take([ROWS])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"id_column": "site2"}, "no column 'site2' for the id"),
        ({"text_column": "key"}, "column 'key' holds int64, not text"),
    ],
)
def test_what_cannot_be_read_in_place_is_said(
    folder: str, more: dict[str, str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"text_column": "content", **more}
    arguments = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]

    assert main(["snapshot", "adopt", folder, "--output", str(tmp_path / "new"), *arguments]) == 2

    assert words in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_other_kinds_are_copied_alone(tmp_path: Path, inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"text": "one"}\n')

    assert main(["snapshot", "adopt", str(lines), "--output", str(tmp_path / "new")]) == 2
    assert "this is not Parquet alone" in capsys.readouterr().err
    assert main(["snapshot", "adopt", str(lines), "--output", str(tmp_path / "new"), "--copy"]) == 0
