"""Every kind of file gives the same rows, and every broken file gives a message with the fault and its place."""

import gzip
import json
import shutil
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pytest

from assay.errors import InputError
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot

ROWS = [
    {"id": "a", "text": "The first\ndocument, with a “quote”.", "label": 3, "site": "x.org"},
    {"id": "b", "text": "The second; 数学.", "label": 0, "site": "y.org"},
    {"id": "c", "text": "The third.", "label": 5, "site": "x.org"},
]


def write(folder: Path, kind: str) -> Path:
    path = folder / f"documents{kind}"
    frame = pd.DataFrame(ROWS)
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    if kind == ".parquet":
        frame.to_parquet(path, index=False)
    elif kind == ".csv":
        frame.to_csv(path, index=False)
    elif kind == ".jsonl":
        path.write_text(lines)
    elif kind == ".jsonl.gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        with pa.CompressedOutputStream(path, "zstd") as file:
            file.write(lines.encode())
    return path


def rows_of(snapshot: Snapshot) -> list[dict]:
    return [row for batch in snapshot.batches() for row in batch.to_pylist()]


@pytest.mark.parametrize("kind", [".parquet", ".csv", ".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_every_kind_gives_the_same_snapshot(tmp_path: Path, kind: str) -> None:
    source = open_source(str(write(tmp_path, kind)))

    snapshot = acquire(source, Columns(label="label", group="site"), tmp_path / "snapshot")

    assert rows_of(snapshot) == [
        {"id": row["id"], "text": row["text"], "label": float(row["label"]), "group": row["site"]} for row in ROWS
    ]
    assert snapshot.manifest.provenance["sources"] == [{"uri": source.uri, "revision": source.revision}]


def test_same_content_from_another_place_is_the_same_version(tmp_path: Path) -> None:
    here, there = write(tmp_path, ".parquet"), tmp_path / "elsewhere.parquet"
    shutil.copy(here, there)

    one = acquire(open_source(str(here)), Columns(), tmp_path / "one")
    two = acquire(open_source(str(there)), Columns(), tmp_path / "two")

    assert one.manifest.version == two.manifest.version


def test_a_folder_and_a_url_are_sources(tmp_path: Path) -> None:
    for number in range(3):
        pd.DataFrame(ROWS).assign(id=[f"{number}{row['id']}" for row in ROWS]).to_parquet(
            tmp_path / f"{number}.parquet"
        )
    (tmp_path / "README.md").write_text("not a document")
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path), "/bucket/labels", recursive=True)

    local = acquire(open_source(str(tmp_path)), Columns(), tmp_path / "s1")
    remote = acquire(open_source("memory://bucket/labels"), Columns(), tmp_path / "s2")

    assert local.manifest.rows == 9
    assert remote.manifest.version == local.manifest.version


def test_revision_follows_content(tmp_path: Path) -> None:
    path = write(tmp_path, ".jsonl")
    before = open_source(str(path)).revision
    assert open_source(str(path)).revision == before

    path.write_text(path.read_text().replace("third", "fourth"))

    assert open_source(str(path)).revision != before


def test_missing_ids_are_made_from_the_text(tmp_path: Path) -> None:
    pd.DataFrame({"body": ["One text", "one  TEXT", "another"]}).to_parquet(tmp_path / "d.parquet")

    snapshot = acquire(open_source(str(tmp_path / "d.parquet")), Columns(text="body"), tmp_path / "s")

    ids = [row["id"] for row in rows_of(snapshot)]
    assert ids[0] == ids[1] != ids[2]


def test_a_column_with_a_reserved_name_is_kept_under_another(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["title"], "body": ["document"], "score": [2]}).to_parquet(tmp_path / "d.parquet")

    snapshot = acquire(open_source(str(tmp_path)), Columns(text="body", label="score"), tmp_path / "s")

    assert rows_of(snapshot)[0] | {"id": ""} == {
        "id": "",
        "text": "document",
        "label": 2.0,
        "source_text": "title",
    }


def test_labels_that_are_not_numbers_become_null_not_an_error(tmp_path: Path) -> None:
    lines = [{"text": "a", "label": "3"}, {"text": "b", "label": "good"}, {"text": "c", "label": None}]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    snapshot = acquire(open_source(str(tmp_path / "d.jsonl")), Columns(label="label"), tmp_path / "s")

    assert [row["label"] for row in rows_of(snapshot)] == [3.0, None, None]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("d.jsonl", b'{"text": "a"}\n{"text": \n', "line 2"),
        ("d.jsonl", b"[1]\n", "not a JSON object"),
        ("d.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 2000, mtime=0)[:60], "cannot be read"),
        ("d.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 2000, mtime=0)[:-8] + b"\0" * 8, "cannot be read"),
        ("d.jsonl.zst", b"no zstd", "cannot be read"),
        ("d.parquet", b"PAR1 and then nothing of use PAR1", "cannot be read"),
        ("d.csv", b"", "cannot be read"),
        ("d.jsonl", b"", "no row"),
        ("d.jsonl", b'{"body": "a"}\n', "no column 'text'"),
        ("d.jsonl", b'{"text": 3}\n', "not text"),
        ("d.txt", b"a text", "no file of a known kind"),
    ],
)
def test_broken_sources_give_a_clear_message_and_leave_no_files(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=complaint) as raised:
        acquire(open_source(str(tmp_path / name)), Columns(), tmp_path / "snapshot")

    assert name in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_files_of_different_schemas_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a"], "n": [1]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"text": ["b"], "n": ["one"]}).to_parquet(tmp_path / "2.parquet")

    with pytest.raises(InputError, match="columns change"):
        acquire(open_source(str(tmp_path)), Columns(), tmp_path / "snapshot")


def test_a_label_column_of_dates_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a"], "when": [pd.Timestamp("2026-01-01")]}).to_parquet(tmp_path / "d.parquet")

    with pytest.raises(InputError, match="not numbers"):
        acquire(open_source(str(tmp_path)), Columns(label="when"), tmp_path / "snapshot")


def test_missing_path_and_ambiguous_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "nothing.parquet"))
    with pytest.raises(InputError, match="named twice"):
        Columns(text="text", label="text")


@pytest.mark.parametrize("uri", ["hf://datasets/owner/name", "hf://datasets/owner", "hf://datasets/owner/name/train"])
def test_a_hub_dataset_needs_a_pinned_revision(uri: str) -> None:
    with pytest.raises(InputError, match="pinned revision"):
        open_source(uri)


def test_a_hub_dataset_streams_through_the_datasets_library(tmp_path: Path) -> None:
    from assay.sources.huggingface import HubSource

    (tmp_path / "data").mkdir()
    pd.DataFrame(ROWS).to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", index=False)
    parsed = open_source("hf://datasets/owner/name@abc123/validation")
    assert (parsed.name, parsed.revision, parsed.split) == ("owner/name", "abc123", "validation")

    # A folder is opened by the same call as a name on the hub, which cannot be reached from a test.
    source = HubSource(uri=parsed.uri, name=str(tmp_path), revision=parsed.revision, split="train")
    snapshot = acquire(source, Columns(label="label"), tmp_path / "snapshot")

    assert [row["text"] for row in rows_of(snapshot)] == [row["text"] for row in ROWS]
    with pytest.raises(InputError, match="split"):
        list(HubSource(parsed.uri, str(tmp_path), "abc123", "nothing").batches())
