"""Mixtures as files: bins used again, several scores, topics, exclusions, weights for loaders, and shards."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from made_mixtures import all_passes, corpus_of, job_of, mixed, references, scored

from assay.cli import main
from assay.errors import InputError
from assay.mixture.bins import QualityBins
from assay.mixture.manifest import Mixture
from assay.mixture.reading import Reader
from assay.mixture.request import MixtureRequest
from assay.scoring import Bins
from assay.storage import Snapshot, write_snapshot

Tree = Callable[[Path], dict[str, bytes]]
TOPICS = ("code", "law", "science")


def made_corpus(folder: Path, rows: int = 600, seed: int = 0, shift: float = 0.0) -> Snapshot:
    """A corpus that carries two scores, tokens, a topic and the mark of a filter."""
    random = np.random.default_rng(seed)
    edu = np.clip(random.normal(2 + shift, 1, rows), 0, 5)
    table = pa.table(
        {
            "id": [f"d{seed}-{n:04d}" for n in range(rows)],
            "text": pa.array([f"Document {n} says this." for n in range(rows)], pa.large_string()),
            "edu": edu,
            "legal": np.clip(5 - edu + random.normal(0, 0.5, rows), 0, 5),
            "token_count": random.integers(1, 100, rows),
            "topic": random.choice(TOPICS, rows).tolist(),
            "mark_short": (random.random(rows) < 0.2).tolist(),
        }
    )
    return write_snapshot(folder, table.to_batches(), provenance={"sources": []})


def score(folder: Path, corpus: str, *columns: str) -> None:
    for column in columns:
        given = ["--from-column", column, "--token-column", "token_count", "--rows-per-part", "128"]
        assert main(["score", str(folder / corpus), *given, "--output", str(folder / "scores")]) == 0


def mix(
    folder: Path, output: str, *more: str, corpus: str = "corpus", quality: tuple[str, ...] = ("column:edu",)
) -> int:
    named = [word for name in quality for word in ("--quality", name)]
    place = ["--scores", str(folder / "scores"), "--output", str(folder / output)]
    return main(["mix", str(folder / corpus), *named, *place, *more])


def table_of(folder: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted((folder / "references").glob("*.parquet"))])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made_corpus(tmp_path / "corpus")
    score(tmp_path, "corpus", "edu", "legal")
    return tmp_path


def test_a_mixture_has_all_its_files_and_is_not_made_twice(
    place: Path, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = ("--topic", "topic", "--topic-share", "science=0.5", "--token-budget", "20000", "--least-bin", "3")
    assert mix(place, "mixture", *wish) == 0
    out = capsys.readouterr().out
    first = tree(place / "mixture")
    assert mix(place, "mixture", *wish) == 0
    assert tree(place / "mixture") == first
    assert "exists already" in capsys.readouterr().err
    assert mix(place, "again", *wish) == 0
    again = tree(place / "again")
    assert again.keys() == first.keys()
    assert again == first

    mixture, found = Mixture.read(str(place / "mixture")), table_of(place / "mixture")
    copies = found["tokens"] * found["repeat"]
    assert mixture.copied_tokens == int(copies.sum())
    assert f"{mixture.copied_tokens:,} of 20,000 tokens" in out
    assert copies[found["topic"] == "science"].sum() == pytest.approx(10_000, abs=20 * 100)
    weights = json.loads((place / "mixture/loaders/weights.json").read_text())
    assert sum(cell["weight"] for cell in weights["cells"]) == pytest.approx(1)
    assert yaml.safe_load((place / "mixture/loaders/weights.yaml").read_text()) == weights
    for cell in weights["cells"]:
        here = found[(found["topic"] == cell["topic"]) & (found["bin"] == cell["bin"])]
        assert cell["weight"] == pytest.approx(float((here["tokens"] * here["repeat"]).sum() / copies.sum()))
        assert cell["probability"] == pytest.approx(float(here["repeat"].sum() / found["repeat"].sum()))
    lines = [line.split() for line in (place / "mixture/loaders/megatron.txt").read_text().splitlines()]
    assert sum(float(weight) for weight, _ in lines) == pytest.approx(1, abs=1e-6)
    nanotron = yaml.safe_load((place / "mixture/loaders/nanotron.yaml").read_text())["data"]["dataset"]
    assert list(nanotron["dataset_folder"]) == [prefix for _, prefix in lines]
    assert "Topic by quality" in (place / "mixture/README.md").read_text()
    assert (place / "mixture/report.html").read_text().count("<svg") == 3


def test_scores_sliced_by_the_topic_make_the_same_mixture_without_the_corpus(place: Path) -> None:
    corpus = Snapshot.open(place / "corpus")
    table = pa.Table.from_batches(list(corpus.batches())).to_pandas()
    table.loc[::9, "topic"] = None
    batches = pa.Table.from_pandas(table, schema=pa.schema(next(corpus.batches()).schema), preserve_index=False)
    write_snapshot(place / "some", batches.to_batches(), provenance={"sources": []})
    wish = ("--topic", "topic", "--token-budget", "20000", "--least-bin", "3")
    for name, more in (("plain", []), ("sliced", ["--slice-by", "topic"])):
        given = ["--from-column", "edu", "--token-column", "token_count", "--rows-per-part", "128", *more]
        assert main(["score", str(place / "some"), *given, "--output", str(place / name)]) == 0
        mixed = ["mix", str(place / "some"), "--quality", "column:edu", "--scores", str(place / name), *wish]
        assert main([*mixed, "--output", str(place / f"{name}-mixture")]) == 0

    plain, sliced = table_of(place / "plain-mixture"), table_of(place / "sliced-mixture")
    pd.testing.assert_frame_equal(plain, sliced)
    assert set(plain["topic"]) == {*TOPICS, "(none)"}


def test_a_place_that_holds_something_else_is_left_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mix(place, "mixture", "--token-budget", "5000") == 0
    assert mix(place, "mixture", "--token-budget", "6000") == 2
    assert "another mixture exists here" in capsys.readouterr().err
    assert mix(place, "corpus", "--token-budget", "6000") == 2
    assert mix(place, "new", "--token-budget", "60000000") == 2
    assert "Nearest that would do: token_budget" in capsys.readouterr().err
    assert not (place / "new").exists()
    assert mix(place, "new") == 2
    assert "a mixture without a budget" in capsys.readouterr().err


def test_a_mixture_that_was_killed_between_parts_ends_with_the_same_bytes(place: Path, tree: Tree) -> None:
    assert mix(place, "whole", "--token-budget", "9000") == 0
    assert mix(place, "half", "--token-budget", "9000") == 0
    for name in ("mixture.json", "report.html", "references/rows-000000000128-000000000256.parquet"):
        (place / "half" / name).unlink()

    assert mix(place, "half", "--token-budget", "9000") == 0
    assert tree(place / "half") == tree(place / "whole")


def test_bins_mean_the_same_for_the_next_corpus(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wish = ("--topic", "topic", "--token-budget", "12000", "--least-bin", "2")
    assert mix(place, "first", *wish) == 0
    made_corpus(place / "next", seed=1, shift=0.6)
    score(place, "next", "edu")
    capsys.readouterr()
    bins = ("--bins-file", str(place / "first/bins.json"))
    assert mix(place, "second", *wish, *bins, corpus="next") == 0

    first, second = (QualityBins.read(str(place / name / "bins.json")) for name in ("first", "second"))
    assert first == second
    assert first.version == json.loads((place / "first/bins.json").read_text())["version"]
    moved = Mixture.read(str(place / "second")).moved
    assert moved is not None
    assert 0.15 < moved[""] < 0.5
    assert "of the tokens are in other bins than in the corpus that the bins were made of" in capsys.readouterr().out
    # A document is in the bin that its score says, whatever corpus it is in.
    for name in ("first", "second"):
        found = table_of(place / name)
        for topic in TOPICS:
            some = found[found["topic"] == topic]
            assert (np.searchsorted(first.starts(topic), some["quality"], side="right") == some["bin"]).mean() > 0.99
    assert mix(place, "third", *wish, *bins, corpus="corpus", quality=("column:legal",)) == 2
    assert "these bins are of other models" in capsys.readouterr().err
    changed = (place / "first/bins.json").read_text().replace('"wanted": 20', '"wanted": 19')
    (place / "changed.json").write_text(changed)
    with pytest.raises(InputError, match="not what was written"):
        QualityBins.read(str(place / "changed.json"))


def test_several_scores_are_joined_by_token_weighted_rank(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    rows = [
        {"id": f"d{n:03d}", "score": float(random.normal()), "tokens": int(random.integers(1, 30))} for n in range(90)
    ]
    corpus = corpus_of(tmp_path / "corpus", rows)
    other = [{**row, "score": float(random.normal() * 3 + 1)} for row in rows]
    scores = [
        scored(tmp_path / "scores", corpus, rows, model="a"),
        scored(tmp_path / "scores", corpus, other, model="b", rows_per_part=11, bins=Bins(-20, 20)),
    ]
    tokens = np.array([row["tokens"] for row in rows])

    def rank(some: list[dict]) -> np.ndarray:
        values = np.array([row["score"] for row in some])
        return np.array(
            [(tokens[values < value].sum() + tokens[values == value].sum() / 2) / tokens.sum() for value in values]
        )

    both = np.stack([rank(rows), rank(other)])
    for request, expected in (
        (MixtureRequest(token_budget=500, least_bin=1), both.max(axis=0)),
        (MixtureRequest(token_budget=500, least_bin=1, join="mean", weights=(3.0, 1.0)), np.array([0.75, 0.25]) @ both),
    ):
        job = job_of(tmp_path / "mixture", corpus, scores, request)
        state = all_passes(job)
        found = references(job, state)
        np.testing.assert_allclose(found["quality"], expected[found["row"]], atol=1e-3)
        assert (found["quality"].min() >= np.quantile(expected, 0.3)) or request.discard < 0.3


def test_weights_are_learned_on_labels_and_never_negative(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame(Snapshot.open(place / "corpus").take(range(600), "id"), columns=["id"])
    table["label"] = np.round(Snapshot.open(place / "corpus").take(range(600), "edu"))
    table.to_parquet(place / "labels.parquet")
    both = ("column:edu", "column:legal")  # legal falls where edu rises
    wish = ("--token-budget", "9000", "--join", "mean", "--labels", str(place / "labels.parquet"))

    assert mix(place, "mixture", *wish, quality=both) == 0
    assert "Weights learned on 600 labelled documents: column:edu 1.00" in capsys.readouterr().out
    assert QualityBins.read(str(place / "mixture/bins.json")).weights == pytest.approx((1.0, 0.0), abs=0.01)
    table.head(20).to_parquet(place / "labels.parquet")
    assert mix(place, "other", *wish, quality=both) == 2
    assert "20 documents of the corpus have a label and all scores" in capsys.readouterr().err


def test_the_rubric_with_the_highest_p_keep_is_the_topic(tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "score": n / 10, "tokens": 10, "p_keep": [0.9, 0.2][n % 2]} for n in range(40)]
    corpus = corpus_of(tmp_path / "corpus", rows)
    further = {"legal_p_keep": [[0.3, 0.8, 0.5, 0.1][n % 4] for n in range(40)]}
    scores = scored(tmp_path / "scores", corpus, rows, further=further)
    request = MixtureRequest(token_budget=100, topic="p_keep", discard=0.0, exponent=0.0, least_bin=1, bins=2)
    job = job_of(
        tmp_path / "mixture", corpus, [scores], replace(request, token_budget=400), rubrics=("education", "legal")
    )

    found = references(job, all_passes(job))
    expected = ["legal" if n % 4 == 1 else "education" for n in found["row"]]
    assert found["topic"].tolist() == expected
    with pytest.raises(InputError, match="no rubric 'law'"):
        all_passes(replace(job, request=replace(request, topic="p_keep:law")))


def test_marked_documents_and_those_without_a_score_stay_out(place: Path) -> None:
    assert mix(place, "mixture", "--token-budget", "40000", "--exclude", "mark_short", "--discard", "0") == 0
    found = table_of(place / "mixture")
    marks = np.array(Snapshot.open(place / "corpus").take(found["row"].tolist(), "mark_short"))
    assert len(found) > 300
    assert not marks.any()

    rows = [{"id": f"d{n}", "score": 1.0 + n, "tokens": 5} for n in range(9)]
    rows[2] |= {"score": np.nan, "reason": "too long"}
    rows[5] |= {"in_scope": False}
    other, *_ = mixed(place / "small", rows, MixtureRequest(token_budget=35, discard=0.0, exponent=0.0, least_bin=1))
    assert other["id"].tolist() == ["d0", "d1", "d3", "d4", "d6", "d7", "d8"]


def test_a_stream_has_each_copy_once_and_copies_far_apart(place: Path) -> None:
    wish = ("--token-budget", "60000", "--topic", "topic", "--least-bin", "5", "--materialise", "stream")
    assert mix(place, "mixture", *wish) == 0
    stream, found = Snapshot.open(place / "mixture/stream"), table_of(place / "mixture")
    table = pa.Table.from_batches(list(stream.batches())).to_pandas()

    copies = table.groupby("id")["copy"].agg(sorted).to_dict()
    assert copies == {row.id: list(range(row.repeat)) for row in found.itertuples()}
    assert stream.manifest.tokens == int((found["tokens"] * found["repeat"]).sum())
    corpus = Snapshot.open(place / "corpus")
    assert table["text"].tolist() == corpus.take(table["corpus_row"].tolist())
    # Copies of one document are the stream's length divided by its repeat apart, up to the noise of the order.
    at = table.assign(at=np.arange(len(table)) / len(table))
    for _, some in at[at["repeat"] > 1].groupby("id"):
        assert np.diff(np.sort(some["at"])).min() > 0.6 / len(some)
    assert not table["corpus_row"].is_monotonic_increasing


def test_cells_are_folders_whose_weights_are_those_of_the_loaders(place: Path) -> None:
    from datasets import interleave_datasets, load_dataset

    wish = ("--token-budget", "30000", "--least-bin", "10", "--bins", "4")
    assert mix(place, "mixture", *wish) == 0
    assert mix(place, "mixture", *wish, "--materialise", "cells") == 0  # later, of the mixture that exists
    plan = json.loads((place / "mixture/loaders/interleave.json").read_text())
    found = table_of(place / "mixture")
    folders = [place / "mixture" / name for name in plan["folders"]]
    assert sum(Snapshot.open(folder).manifest.rows for folder in folders) == len(found)
    parts = [
        load_dataset("parquet", data_files=str(folder / "part-*.parquet"), split="train", cache_dir=str(place / "hub"))
        for folder in folders
    ]
    drawn = interleave_datasets(
        parts, probabilities=plan["probabilities"], seed=0, stopping_strategy=plan["stopping_strategy"]
    )
    shares = pd.Series(drawn["bin"]).value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(shares, plan["probabilities"], atol=0.05)


def test_scores_of_a_column_are_checked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for column, message in (("text", "not a number"), ("none", "no column 'none'")):
        given = ["--from-column", column, "--output", str(place / "scores")]
        assert main(["score", str(place / "corpus"), *given]) == 2
        assert message in capsys.readouterr().err
    table = pa.table({"id": ["a", "b", "c"], "text": ["x", "y" * 8, "z"], "grade": pa.array([1, None, 4], pa.int32())})
    write_snapshot(place / "small", table.to_batches(), provenance={"sources": []})
    assert main(["score", str(place / "small"), "--from-column", "grade", "--output", str(place / "scores")]) == 0
    out = capsys.readouterr().out
    assert "3 documents, 2 with a number in grade" in out
    assert "2 tokens (estimate: UTF-8 bytes / 4)" in out


def test_a_process_that_opens_another_corpus_is_stopped(tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "score": float(n), "tokens": 5} for n in range(9)]
    corpus = corpus_of(tmp_path / "corpus", rows, topic=["a"] * 9)
    scores = scored(tmp_path / "scores", corpus, rows)
    job = job_of(tmp_path / "m", corpus, [scores], MixtureRequest(token_budget=5, topic="topic", least_bin=1))
    state = all_passes(job)
    corpus_of(tmp_path / "corpus", rows[:8], topic=["b"] * 8)
    with pytest.raises(InputError, match="was to be scored"):
        Reader(job, state).block(Reader(job, state).parts()[0])
