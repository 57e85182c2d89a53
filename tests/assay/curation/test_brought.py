"""Builds of what people bring: what is passed over is in the funnel, and nothing of the user's is lost."""

import gzip
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.cli.main import main
from assay.curation import BuildConfig, BuildPlan, Funnel, PieceFolder, build_snapshot, make_pieces
from assay.errors import InputError
from assay.sources import open_source
from assay.storage import Snapshot


def build(source: Path, place: Path, **options: object) -> tuple[Snapshot, Funnel]:
    snapshot = build_snapshot(str(source), str(place / "out"), str(place / "pieces"), BuildConfig(), **options)  # type: ignore[arg-type]
    return snapshot, Funnel.from_json(snapshot.manifest.provenance["funnel"])


def rows_of(snapshot: Snapshot) -> list[dict]:
    return [row for batch in snapshot.batches() for row in batch.to_pylist()]


def test_archives_of_all_packings_are_read_together_and_the_rest_is_counted(inputs: Path, tmp_path: Path) -> None:
    folder = inputs / "warc-zst-panics" / "mixed"
    shutil.copy(inputs / "http-encoding-header-wrong" / "records.warc.gz", folder)
    (folder / "bad.warc.zst").write_bytes((folder / "b.warc.zst").read_bytes()[:1_000])
    (folder / "notes.txt").write_text("x")

    snapshot, funnel = build(folder, tmp_path, processes=2)

    assert funnel.found.documents == 14 + 2 + 1 + 38  # two of the archive that is cut off, and the cut
    assert dict(funnel.passed) == {
        "file, another kind: .txt": 1,
        "record, content type: none, and binary": 1,
        "record, record without an HTTP response": 1,
        "record, status: 206": 1,
    }
    assert funnel.steps().iloc[0].to_list()[:2] == ["passed over: no documents", 4]
    assert "record, status: 206" in Path(snapshot.url, "report.html").read_text(encoding="utf-8")
    dropped = pd.read_parquet(Path(snapshot.url, "_dropped.parquet"))
    lost = dropped[dropped["reason"] == "unreadable"]
    assert lost[["member", "detail"]].to_numpy().tolist() == [["bad.warc.zst", "byte 800 is truncated"]]


def test_a_report_does_not_copy_pages_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(
        '{"text": "Good words."}\n' + "x" * 1_000_000 + "\n{'" + "y" * 99_999 + "\n"
    )

    snapshot, _ = build(tmp_path / "in", tmp_path)

    details = pd.read_parquet(Path(snapshot.url, "_dropped.parquet"))["detail"]
    assert details.str.len().max() < 400


def test_columns_that_collide_are_kept_build_after_build(inputs: Path, tmp_path: Path) -> None:
    given = [json.loads(line) for line in (inputs / "source-prefix-collides" / "with-language.jsonl").open()]
    (tmp_path / "in").mkdir()
    rows = [{**row, "source_language": "given", "language": f"l{n}"} for n, row in enumerate(given)]
    (tmp_path / "in" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    once, _ = build(tmp_path / "in", tmp_path / "1")
    shards = tmp_path / "shards"
    shards.mkdir()
    shutil.copy(Path(once.url, "part-00000.parquet"), shards)
    twice, _ = build(shards, tmp_path / "2")

    for snapshot, own in ((once, "source_language_2"), (twice, "source_language_2")):
        assert len(set(snapshot.manifest.schema)) == len(snapshot.manifest.schema)
        assert pq.read_table(Path(snapshot.url, "part-00000.parquet")).num_columns == len(snapshot.manifest.schema)
        assert [row[own] for row in rows_of(snapshot)] == [row["language"] for row in rows]
        assert {row["source_language"] for row in rows_of(snapshot)} == {"given"}
    assert [row["source_language_3"] for row in rows_of(twice)] == [row["language"] for row in rows_of(once)]


def test_a_member_that_changes_after_the_plan_makes_no_piece(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.jsonl").write_text(f'{{"text": "Words of {name}."}}\n')
    folder = PieceFolder.create(
        str(tmp_path / "pieces"), BuildPlan.of(open_source(str(tmp_path / "in")), BuildConfig())
    )
    (tmp_path / "in" / "b.jsonl").write_text('{"text": "Other words."}\n')

    with pytest.raises(InputError, match=r"this file changed after the build was planned .*b\.jsonl"):
        make_pieces(PieceFolder.open(folder.url), folder.missing_pieces())

    assert "piece-000001.parquet" in [piece.name for piece in folder.missing_pieces()]
    shutil.rmtree(folder.url)
    (tmp_path / "in" / "b.jsonl").write_text('{"text": "Words of b."}\n')
    build(tmp_path / "in", tmp_path)


def test_a_source_of_nothing_but_faults_names_the_first(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the first of 4 faults: line 1 cannot be used: its 'text' is a list, not text"
    ):
        build(inputs / "text-that-is-a-list" / "list.jsonl", tmp_path)
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(b"WARC/1.0\r\nWARC-Type: response\r\n\r\n"))
    with pytest.raises(InputError, match=r"no place of it can be read; the first of 1 faults: byte 0 states no length"):
        build(tmp_path / "a.warc.gz", tmp_path)


def test_an_output_below_the_source_is_left_out_the_next_time(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    pq.write_table(pa.table({"text": ["The river carries sand."], "id": ["a"]}), source / "a.parquet")

    first, _ = build(source, source)
    again = build_snapshot(str(source), str(source / "second"), str(source / "pieces"), BuildConfig())

    assert first.manifest.rows == again.manifest.rows == 1
    assert first.manifest.version == again.manifest.version


def test_a_list_of_ids_may_have_a_byte_order_mark_and_unknown_ids_are_named(
    inputs: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    folder = inputs / "delete-ids-with-bom"
    snapshot, _ = build(folder / "three.jsonl", tmp_path)
    (folder / "utf16.txt").write_text("b\r\nnot there\r\n", encoding="utf-16")

    for number, file in enumerate(("ids.txt", "utf16.txt")):
        place = str(tmp_path / f"new{number}")
        assert main(["snapshot", "delete", snapshot.url, "--ids", str(folder / file), "--output", place]) == 0
    said = capfd.readouterr()

    assert [row["id"] for row in rows_of(Snapshot.open(tmp_path / "new0"))] == ["c"]
    assert [row["id"] for row in rows_of(Snapshot.open(tmp_path / "new1"))] == ["a", "c"]
    assert "1 of 2 ids are not in this snapshot: 'not there'" in said.out + said.err


@pytest.mark.parametrize(("name", "format_"), [("a.warc.gz", 2), ("a.csv", 2), ("a.jsonl", 1)])
def test_pieces_that_an_earlier_release_read_with_losses_are_made_again(name: str, format_: int) -> None:
    plan = BuildPlan("in", "r", "", (("b.parquet",), (name,)), BuildConfig())

    assert plan.to_json()["format"] == format_
