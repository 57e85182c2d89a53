"""`assay snapshot build` as users call it: every document of the source is accounted for, and made once."""

import gzip
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cleaning import preset
from assay.cli.main import main
from assay.curation import BuildConfig, BuildPlan, Funnel, PieceFolder, build_snapshot, make_pieces
from assay.curation.duplicates import PieceMarks, find_clusters, search_bands
from assay.dedup import mapped, near_duplicate_clusters, text_digest
from assay.errors import InputError
from assay.sources import open_source
from assay.storage import Snapshot

TESTED = 0
"""Row of the document whose beginning is a benchmark."""
DUPLICATE = ["exact duplicate", "near-duplicate"]
OWN = ["language", "language_probability", "contamination", "contaminated_by"]


def longer(text: str, times: int = 1) -> str:
    """Return a longer text that is a near-duplicate of the text."""
    return text + " And so on." * times


def rows_of(sample: list[dict]) -> list[dict]:
    """Return 150 documents of three texts each, with copies of every third and near-copies of every fifth.

    The best texts of the sample are joined, so that the filters keep some documents.
    """
    ordered = [row["text"] for row in sorted(sample, key=lambda row: -row["label"])]
    texts = [ordered[start : start + 3] for start in range(0, 450, 3)]
    rows = [{"id": f"d{n}", "text": "\n".join(three), "url": f"u{n}"} for n, three in enumerate(texts)]
    rows += [{"id": f"copy-{row['id']}", "text": row["text"], "url": "copy"} for row in rows[:150:3]]
    rows += [{"id": f"near-{row['id']}", "text": longer(row["text"]), "url": "near"} for row in rows[:150:5]]
    random.Random(0).shuffle(rows)
    return rows


def lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """JSONL in four files: complete, packed, with a damaged line, and packed and cut off."""
    folder, rows = tmp_path_factory.mktemp("source"), rows_of(sample)
    (folder / "a.jsonl").write_bytes(lines(rows[:80]))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(lines(rows[80:160])))
    (folder / "sub").mkdir()
    (folder / "sub" / "a.jsonl").write_bytes(lines(rows[160:]) + b'{"id": "bad", "text": \n' + lines([{"text": " "}]))
    (folder / "z.jsonl.gz").write_bytes(gzip.compress(random.Random(1).randbytes(10_000))[:5_000])
    return folder


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "school.txt").write_text(rows_of(sample)[TESTED]["text"][:400], encoding="utf-8")
    return folder


def building(source: object, output: object, pieces: object, *more: str) -> list[str]:
    return ["snapshot", "build", str(source), "--output", str(output), "--pieces", str(pieces), *more]


@pytest.fixture(scope="module")
def built(source: Path, benchmarks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    more = ["--preset", "fineweb", "--benchmarks", str(benchmarks), "--processes", "1"]
    assert main(building(source, folder / "snapshot", folder / "pieces", *more)) == 0
    return folder / "snapshot"


def documents(snapshot: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(snapshot.glob("part-*.parquet"))], ignore_index=True)


def test_every_row_and_every_damage_is_kept_or_recorded(built: Path, sample: list[dict]) -> None:
    kept, dropped = documents(built), pd.read_parquet(built / "_dropped.parquet")
    given = rows_of(sample)

    assert list(kept.columns) == ["id", "text", "url", *OWN]
    readable = dropped[dropped["reason"] != "unreadable"]
    assert Counter(kept["id"]) + Counter(readable["id"]) == Counter([text_digest(" "), *(row["id"] for row in given)])
    lost = dropped[dropped["reason"] == "unreadable"]
    assert lost["member"].tolist() == ["sub/a.jsonl", "z.jsonl.gz"]
    assert lost["detail"].tolist()[0].startswith(f"line {len(given) - 160 + 1} ")
    assert dropped["reason"].str.startswith(("Gopher", "C4", "FineWeb", "language")).sum() > 30
    measured = dropped[dropped["reason"] == "Gopher quality: short doc"]
    assert (measured["value"] < 50).all()
    order = {row["id"]: place for place, row in enumerate(given)}
    assert kept["id"].map(order).is_monotonic_increasing
    excerpts = {row["id"]: row["text"] for row in given}
    row = readable[readable["id"].isin(list(order))].iloc[0]
    assert excerpts[row["id"]].startswith(row["excerpt"][:100])


def test_the_longest_of_each_cluster_is_kept_and_the_table_names_it(built: Path) -> None:
    kept, dropped = documents(built), pd.read_parquet(built / "_dropped.parquet")
    clusters = pd.read_parquet(built / "_clusters.parquet")

    reasons = dict.fromkeys(kept["id"], "") | dict(zip(dropped["id"], dropped["reason"], strict=True))
    forms: dict[str, set[str]] = defaultdict(set)
    for name in reasons:
        forms[str(name).rpartition("-")[2]].add(str(name))
    clean = [group for group in forms.values() if all(reasons[name] in ("", *DUPLICATE) for name in group)]
    several = [group for group in clean if len(group) > 1]
    assert len(several) > 10
    for group in several:
        (stays,) = (name for name in group if not reasons[name])
        assert stays.startswith("near-") or not any(name.startswith("near-") for name in group)
    assert set(clusters[clusters["kept"]]["id"]) == set(clusters["kept_id"])
    assert set(clusters["kept_id"]) <= set(kept["id"])
    fallen = dropped[dropped["reason"].isin(DUPLICATE)]
    assert sorted(fallen["id"]) == sorted(clusters[~clusters["kept"]]["id"])
    kept_ids = dict(zip(clusters["id"], clusters["kept_id"], strict=True))
    assert all(kept_ids[name] == stays for name, stays in zip(fallen["id"], fallen["detail"], strict=True))
    same = clusters.set_index("id")["same_text"]
    assert (fallen.set_index("id")["reason"] == "exact duplicate").eq(same[fallen["id"]]).all()
    assert not set(kept["id"]) & set(fallen["id"])


def test_the_funnel_adds_up_and_the_report_shows_it(built: Path, capsys: pytest.CaptureFixture) -> None:
    manifest = Snapshot.open(built).manifest
    funnel = Funnel.from_json(manifest.provenance["funnel"])
    dropped = pd.read_parquet(built / "_dropped.parquet")

    assert funnel.kept.documents == manifest.rows == len(documents(built))
    assert funnel.kept.tokens == manifest.tokens
    assert {reason: each.documents for reason, each in funnel.dropped.items()} == dict(Counter(dropped["reason"]))
    assert funnel.found.documents == manifest.rows + len(dropped)
    steps = funnel.steps()
    assert steps["documents left"].iloc[-1] == manifest.rows
    assert steps["tokens left"].iloc[-1] == manifest.tokens

    page = (built / "report.html").read_text(encoding="utf-8")
    for reason in funnel.dropped:
        assert f"<td>{reason}</td>" in page
        assert f"Dropped: {reason}" in page or reason == "unreadable"
    assert "z.jsonl.gz" in page
    assert "school.txt" in page
    assert main(["snapshot", "show", str(built)]) == 0
    assert manifest.version in capsys.readouterr().out
    assert main(["snapshot", "verify", str(built)]) == 0


def test_pieces_of_benchmarks_are_marked(built: Path, sample: list[dict]) -> None:
    kept = documents(built)
    marked = kept[kept["contamination"] > 0]
    assert set(marked["contaminated_by"]) == {"school.txt"}
    name = rows_of(sample)[TESTED]["id"].rpartition("-")[2]
    assert {each.rpartition("-")[2] for each in marked["id"]} == {name}


def test_the_snapshot_loads_with_datasets(built: Path, tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset(str(built), split="train", cache_dir=str(tmp_path))
    assert loaded["id"] == documents(built)["id"].tolist()


def test_running_again_writes_nothing(built: Path, source: Path, benchmarks: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.parent.rglob("*")}
    more = ["--preset", "fineweb", "--benchmarks", str(benchmarks)]

    assert main(building(source, built, built.parent / "pieces", *more)) == 0
    assert {path: path.stat().st_mtime_ns for path in built.parent.rglob("*")} == before

    assert main(building(source, built, built.parent / "pieces", "--preset", "none")) == 2, "another build is there"


@pytest.mark.full
@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_make_the_same_bytes(
    processes: int, built: Path, source: Path, benchmarks: Path, tmp_path: Path, tree: Callable
) -> None:
    more = ["--preset", "fineweb", "--benchmarks", str(benchmarks), "--processes", str(processes)]
    assert main(building(source, tmp_path / "snapshot", tmp_path / "pieces", *more)) == 0

    assert tree(tmp_path / "snapshot") == tree(built)
    assert tree(tmp_path / "pieces") == tree(built.parent / "pieces")


@pytest.mark.full
@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 59), max_size=3), st.randoms(use_true_random=False), st.integers(20, 200))
def test_the_kept_texts_depend_on_the_texts_only(
    sample: list[dict],
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    chance: random.Random,
    at_once: int,
) -> None:
    """Given the same documents in other files, in another order and searched in other batches, the same texts stay."""
    rows = [{"text": row["text"]} for row in sample[:20]]
    rows += [{"text": longer(row["text"], 1 + n % 3)} for n, row in enumerate(rows)] + rows[:20]
    folder = tmp_path_factory.mktemp("dealt")
    expected = {longer(row["text"], 1 + n % 3) for n, row in enumerate(rows[:20])}
    chance.shuffle(rows)
    edges = [0, *sorted(set(cuts)), len(rows)]
    (folder / "in").mkdir()
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        (folder / "in" / f"{number}.jsonl").write_bytes(lines(rows[start:stop]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "AT_ONCE", at_once)
        build_snapshot(str(folder / "in"), str(folder / "out"), str(folder / "pieces"), BuildConfig())

    assert sorted(documents(folder / "out")["text"]) == sorted(expected)


def test_clusters_of_pieces_are_those_of_the_search_in_memory(sample: list[dict], tmp_path: Path) -> None:
    rows = rows_of(sample)
    for number in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.jsonl").write_bytes(lines(rows[number::3]))
    folder = PieceFolder.create(str(tmp_path / "work"), BuildPlan.of(open_source(str(tmp_path / "in")), BuildConfig()))
    make_pieces(folder, folder.missing_pieces())
    search_bands(folder, folder.missing_bands())

    clusters = find_clusters(PieceMarks(folder))

    texts = [row["text"] for number in range(3) for row in rows[number::3]]
    every = np.arange(len(texts))
    every[clusters.rows] = clusters.survivor
    expected = near_duplicate_clusters(texts, progress=False)
    _, mine = np.unique(every, return_inverse=True)
    _, theirs = np.unique(expected, return_inverse=True)
    assert len(set(zip(mine.tolist(), theirs.tolist(), strict=True))) == len(set(mine.tolist())) == len(set(theirs))


def test_shards_have_about_the_requested_size(tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = [{"text": f"{n} " + chance.randbytes(4_000).hex()} for n in range(1_500)]
    (tmp_path / "in.jsonl").write_bytes(lines(rows))
    config = BuildConfig(keep_duplicates=True)

    snapshot = build_snapshot(
        str(tmp_path / "in.jsonl"), str(tmp_path / "out"), str(tmp_path / "work"), config, shard_megabytes=1
    )
    shards = snapshot.manifest.shards
    assert sum(shard.rows for shard in shards) == 1_500
    assert len(shards) > 4
    assert all(2**20 <= shard.bytes <= 1.3 * 2**20 for shard in shards[:-1])


@pytest.mark.full
def test_one_large_text_is_a_row_group_and_a_shard(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"{n} " + random.Random(n).randbytes(9 * 2**20).hex()} for n in range(9)]
    (tmp_path / "in.jsonl").write_bytes(lines(rows))

    snapshot = build_snapshot(
        str(tmp_path / "in.jsonl"),
        str(tmp_path / "out"),
        str(tmp_path / "work"),
        BuildConfig(keep_duplicates=True),
        shard_megabytes=30,
    )

    assert [shard.rows for shard in snapshot.manifest.shards] == [4, 4, 1], "18 MiB each, packed to half"
    assert documents(tmp_path / "out")["id"].tolist() == [str(n) for n in range(9)]


def test_a_build_that_keeps_nothing_gives_the_reason_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines([{"text": "Short."}, {"text": "Kurz und auf Deutsch geschrieben."}]))
    assert main(building(tmp_path / "in.jsonl", tmp_path / "out", tmp_path / "work", "--preset", "fineweb")) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("assay snapshot: nothing is left of 2 documents; most were dropped for: language")
    assert not (tmp_path / "out").exists()


def test_wrong_settings_and_places_are_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines([{"text": "A document.", "n": 1}]))
    cases = {
        ("--preset", "best"): "no preset 'best' of cleaning. Name one of: none, fineweb",
        ("--text-column", "body"): "no column 'body' for the text",
        ("--text-column", "n"): "column 'n' holds int64, not text",
        ("--similarity", "1.5"): "threshold 1.5 must be above 0 and at most 1",
        ("--page-seconds", "0"): "page_seconds is 0",
        ("--shard-megabytes", "0"): "shard_megabytes is 0",
        ("--processes", "0"): "0 processes",
        ("--benchmarks", str(tmp_path / "none")): "no such file or folder of benchmark texts",
    }
    for more, words in cases.items():
        assert main(building(tmp_path / "in.jsonl", tmp_path / "out", tmp_path / "work", *more)) == 2, more
        assert words in capsys.readouterr().err.strip().splitlines()[-1]
        assert not list((tmp_path).glob("**/piece-*")), more
        assert not (tmp_path / "out").exists()


def test_a_piece_that_is_damaged_is_named(tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines([{"text": row["text"]} for row in sample[:20]]))
    command = building(tmp_path / "in.jsonl", tmp_path / "out", tmp_path / "work", "--processes", "1")
    assert main(command) == 0
    (piece,) = (tmp_path / "work").glob("*/piece-*.parquet")
    (tmp_path / "out").rename(tmp_path / "first")
    piece.write_bytes(piece.read_bytes()[:2_000])

    assert main(command) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "this piece cannot be read" in last
    assert str(piece) in last
    assert last.endswith("Remove it, and run the same again")

    piece.unlink()
    assert main(command) == 0
    assert Snapshot.open(tmp_path / "out").manifest == Snapshot.open(tmp_path / "first").manifest


def test_a_damaged_plan_or_funnel_is_named(tmp_path: Path, source: Path) -> None:
    folder = PieceFolder.create(str(tmp_path), BuildPlan.of(open_source(str(source)), BuildConfig()))
    path = Path(folder.url) / "_build.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"members": [["a.jsonl"], 3]}))

    with pytest.raises(InputError, match=r"this plan cannot be read: members\.1: input should be a valid array"):
        PieceFolder.open(folder.url)
    path.unlink()
    with pytest.raises(InputError, match=r"no pieces here: _build\.json is missing .*Build the snapshot again"):
        PieceFolder.open(folder.url)
    with pytest.raises(InputError, match="this funnel cannot be read: kept: field required"):
        Funnel.from_json({"dropped": {}})


def test_benchmarks_that_change_between_plan_and_work_are_noticed(
    tmp_path: Path, benchmarks: Path, source: Path
) -> None:
    config = BuildConfig(clean=preset("none"))
    folder = PieceFolder.create(str(tmp_path), BuildPlan.of(open_source(str(source)), config, str(benchmarks)))
    reopened = PieceFolder.open(folder.url)
    assert reopened.plan == folder.plan
    assert reopened.plan.key == folder.plan.key
    text = (benchmarks / "school.txt").read_text()
    try:
        (benchmarks / "school.txt").write_text(text + " And another sentence that was not there before.")
        with pytest.raises(InputError, match="the benchmarks changed since the build was planned"):
            make_pieces(reopened, reopened.missing_pieces())
    finally:
        (benchmarks / "school.txt").write_text(text)


@pytest.mark.full  # tests/workflows/test_pods.py builds in a store of S3 each time
@pytest.mark.parametrize(("store", "processes"), [("s3", 1), ("s3", 2), ("gs", 2)])
def test_source_pieces_and_snapshot_may_be_in_an_object_store(
    store: str,
    processes: int,
    request: pytest.FixtureRequest,
    source: Path,
    benchmarks: Path,
    built: Path,
    tree: Callable,
    tmp_path: Path,
) -> None:
    import fsspec

    bucket = request.getfixturevalue(store)
    fs, root = fsspec.core.url_to_fs(f"{bucket}/{tmp_path.name}")
    for place, folder in ((f"{root}/in", source), (f"{root}/benchmarks", benchmarks)):
        for path in folder.rglob("*.*"):
            fs.pipe_file(f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    url = f"{bucket}/{tmp_path.name}"
    more = ["--preset", "fineweb", "--benchmarks", f"{url}/benchmarks", "--processes", str(processes)]

    assert main(building(f"{url}/in", f"{url}/out", f"{url}/pieces", *more)) == 0

    there, here = Snapshot.open(f"{url}/out"), Snapshot.open(built)
    assert there.manifest.version == here.manifest.version
    names = {path.rsplit("/", 1)[-1] for path in fs.find(f"{root}/out")}
    assert names == set(tree(built))
    assert fs.cat_file(f"{root}/out/_dropped.parquet") == (built / "_dropped.parquet").read_bytes()
    before = {name: fs.checksum(name) for name in fs.find(root)}
    assert main(building(f"{url}/in", f"{url}/out", f"{url}/pieces", *more)) == 0
    assert {name: fs.checksum(name) for name in fs.find(root)} == before


def test_a_hub_dataset_is_read_file_by_file(tmp_path: Path, sample: list[dict]) -> None:
    from assay.sources.huggingface import HubSource

    (tmp_path / "data").mkdir()
    for number in range(3):
        table = pd.DataFrame([{"text": row["text"], "url": row["id"]} for row in sample[number * 10 :][:10]])
        table.to_parquet(tmp_path / "data" / f"train-{number:05d}-of-00003.parquet", index=False)
    # A folder is opened by the same call as a name on the hub, which cannot be reached from a test.
    source = HubSource("hf://datasets/owner/name@abc", str(tmp_path), "abc", "train")

    assert source.members == tuple(f"train-{number:05d}-of-00003" for number in range(3))
    found = [
        [row for batch in source.read(member, source.readable_schema, print) for row in batch["url"].to_pylist()]
        for member in source.members
    ]
    assert found == [[row["id"] for row in sample[n * 10 :][:10]] for n in range(3)]
    assert BuildPlan.of(source, BuildConfig()).members == tuple((member,) for member in source.members)


def test_filters_that_mark_leave_the_decision_to_the_mixture(tmp_path: Path, sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[:20]] + ["Too short for Gopher, and in English, as everybody can see."]
    pd.DataFrame({"text": texts}).to_parquet(tmp_path / "in.parquet")
    given = ["snapshot", "build", str(tmp_path / "in.parquet"), "--preset", "fineweb", "--processes", "1"]
    found = {}
    for name, more in (("dropped", []), ("marked", ["--mark"])):
        places = ["--output", str(tmp_path / name), "--pieces", str(tmp_path / "pieces")]
        assert main([*given, *more, *places]) == 0
        found[name] = documents(tmp_path / name)

    assert not any(column.startswith("mark_") for column in found["dropped"])
    marked = found["marked"]
    columns = ["mark_gopher_repetition", "mark_gopher_quality", "mark_c4", "mark_fineweb"]
    assert marked.loc[marked["text"].str.startswith("Too short"), "mark_gopher_quality"].all()
    assert set(marked.loc[~marked[columns].any(axis=1), "id"]) == set(found["dropped"]["id"])
    assert len(marked) > len(found["dropped"])
