"""A selection by several processes: the bytes of one process, and no file of the corpus fetched by two."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.selection import (
    CountedShare,
    CountShare,
    Draft,
    SelectionRequest,
    SelectionShare,
    WrittenShare,
    count_share,
    finish_selection,
    plan_counting,
    plan_writing,
    write_share,
)
from assay.selection.choose import choose, is_searched
from assay.selection.write import Writing, write_selection
from assay.sources import Columns, open_source, refer
from assay.storage import Snapshot, parse_json
from tests.assay.selection.test_selection import calibration, document, scored, scores_of, words

BUILT = {"config": {"dedup": {"threshold": 0.7}, "keep_duplicates": False}}


def over(kind: Any, value: Any) -> Any:
    """As it comes out of the file by which tasks hand it on."""
    return parse_json(kind, json.dumps(asdict(value)), what="it")


def mapped(writing: Writing, place: str, workers: int, rows_per_shard: int) -> Snapshot:
    counted = [over(CountedShare, count_share(over(CountShare, each))) for each in plan_counting(writing, workers)]
    draft, shares = plan_writing(writing, counted, place, workers, rows_per_shard)
    written = [over(WrittenShare, write_share(over(SelectionShare, each))) for each in reversed(shares)]
    return finish_selection(writing, over(Draft, draft), written[::-1])


def corpus_rows(count: int = 60) -> list[dict]:
    random = np.random.default_rng(1)
    rows = [
        document(n, float(random.choice([0.5, 1.25, 2.0, 3.5]) + (n % 3 == 0) * random.normal()), n % 9)
        for n in range(count)
    ]
    for n in range(0, count, 7):  # copies of others
        rows[n] = rows[n] | {"text": rows[(n * 5 + 3) % count]["text"]}
    rows[4] = rows[4] | {"reason": "too long", "score": np.nan}
    rows[9] = rows[9] | {"in_scope": False}
    return rows


@pytest.mark.parametrize(
    ("wanted", "workers"),
    [({"share": 0.4}, 3), ({"share": 1.0}, 50), ({"token_budget": 97}, 2), ({"token_budget": 10**6}, 1), ({}, 3)],
    ids=str,
)
@pytest.mark.parametrize("searched", [True, False])
def test_the_bytes_are_those_of_one_process(tmp_path: Path, wanted: dict, workers: int, searched: bool) -> None:
    scores, corpus = scored(tmp_path, corpus_rows(), provenance=None if searched else BUILT)
    request, made = SelectionRequest(**wanted), calibration()
    assert is_searched(corpus, request) == searched
    choice = choose(scores, corpus, made, request)
    whole = write_selection(scores, corpus, request, choice, str(tmp_path / "one"), calibration=made, rows_per_shard=8)

    selection = mapped(Writing(scores, corpus, request, None, made), str(tmp_path / "several"), workers, 8)

    assert selection.manifest == whole.manifest
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "several").iterdir())
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "several" / name).read_bytes(), name
    assert len(whole.manifest.shards) == -(-len(choice.rows) // 8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.5, 1.5000001, 3.0]), st.integers(0, 9)), min_size=1, max_size=30),
    st.integers(1, 90),
    st.floats(0.01, 1),
)
def test_the_cut_by_counts_is_that_of_the_whole_ranking(
    tmp_path: Path, drawn: list[tuple[float, int]], budget: int, share: float
) -> None:
    rows = [document(n * 7 % 31, score, tokens) for n, (score, tokens) in enumerate(drawn)]
    scores, corpus = scored(tmp_path, rows)
    order = sorted(range(len(rows)), key=lambda row: (-rows[row]["score"], rows[row]["id"], row))
    sums = np.cumsum([rows[row]["tokens"] for row in order])

    wanted = SelectionRequest(token_budget=budget, keep_duplicates=True)
    filled = int(np.searchsorted(sums, budget)) + 1  # nothing behind the document that fills the budget
    expected = [row for row, total in zip(order[:filled], sums, strict=False) if total <= budget]
    if expected:
        choice = choose(scores, corpus, calibration(), wanted)
        assert choice.rows.tolist() == sorted(expected)
        assert choice.cut == rows[expected[-1]]["score"]
        assert choice.realised == sum(rows[row]["tokens"] for row in expected)
    else:
        with pytest.raises(InputError, match="more than the budget"):
            choose(scores, corpus, calibration(), wanted)
    choice = choose(scores, corpus, calibration(), SelectionRequest(share=share, keep_duplicates=True))
    assert choice.rows.tolist() == sorted(order[: int(np.ceil(share * len(rows)))])


def test_a_corpus_that_was_searched_when_it_was_built_is_searched_again_only_if_asked(tmp_path: Path) -> None:
    rows = [document(n, 3.0) | {"text": words(n // 2)} for n in range(8)]
    scores, corpus = scored(tmp_path, rows, provenance=BUILT)

    trusting = choose(scores, corpus, calibration(), SelectionRequest(share=1.0))
    again = choose(scores, corpus, calibration(), SelectionRequest(share=1.0, search_again=True))

    assert (len(trusting.rows), len(again.rows)) == (8, 4)
    assert "search_again" not in SelectionRequest(share=1.0).to_json(), "provenance of before is recognised"


def test_no_file_of_the_corpus_is_fetched_by_a_step_that_does_not_own_it(s3: str, sent: list, tmp_path: Path) -> None:
    """Four files in the store, read where they lie; what each step gets of them is in the server's log."""
    files, size = 4, 40
    rows = [document(n, (n % 10) / 2, 5) | {"text": f"{words(n)} " * 30} for n in range(files * size)]
    folder = f"{s3}/{tmp_path.name}/crawl"
    for file in range(files):
        some = rows[file * size : (file + 1) * size]
        data = io.BytesIO()
        pq.write_table(
            pa.table({name: [row[name] for row in some] for name in ("id", "text")}), data, compression="none"
        )
        fsspec.filesystem("s3").pipe_file(f"{folder}/{file}.parquet", data.getvalue())
    corpus = refer(open_source(folder), Columns(), f"{s3}/{tmp_path.name}/corpus")
    scores = scores_of(f"{s3}/{tmp_path.name}/scores", corpus, rows, rows_per_part=20)
    names = [f"{folder.removeprefix('s3://')}/{file}.parquet" for file in range(files)]

    def fetched() -> list[bool]:
        bytes_of = [sum(each.bytes for each in sent if each.name == name) for name in names]
        sent.clear()
        return [got > 0 for got in bytes_of]

    fetched()
    request = SelectionRequest(share=0.5, keep_duplicates=True)
    writing = Writing(scores, corpus, request, None, calibration())
    place = f"{s3}/{tmp_path.name}/selection"
    counted = [count_share(each) for each in plan_counting(writing, 2)]
    draft, shares = plan_writing(writing, counted, place, 2, rows_per_shard=20)
    assert fetched() == [False] * 4, "counting and settling read scores alone"
    written = []
    for share, own in zip(shares, ([True, True, False, False], [False, False, True, True]), strict=True):
        written.append(write_share(share))
        assert fetched() == own
    selection = finish_selection(writing, draft, written)
    assert fetched() == [False] * 4

    choice = choose(scores, corpus, calibration(), request)
    whole = write_selection(
        scores, corpus, request, choice, str(tmp_path / "one"), calibration=calibration(), rows_per_shard=20
    )
    assert Snapshot.open(place).manifest.version == selection.manifest.version == whole.manifest.version
    assert whole.manifest.rows == 80
