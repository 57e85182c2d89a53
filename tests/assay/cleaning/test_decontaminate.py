"""Documents that contain parts of benchmarks, compared with a search of all runs of words."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cleaning.decontaminate import WORDS, read_benchmarks
from assay.dedup import word_ngrams
from assay.errors import InputError

QUESTION = (
    "A train leaves the station at noon and travels at sixty miles an hour. How far has it come by three o'clock?"
)
ANSWER = "After three hours at sixty miles an hour the train has come one hundred and eighty miles from the station."
FILLER = (
    "The committee met in the spring, and again in the autumn, to discuss what was to be done about the old bridge. "
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    rows = [
        {"question": QUESTION, "answer": ANSWER, "level": 3},
        {"question": "Too short?", "answer": None, "level": 1},
    ]
    (folder / "maths.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    pd.DataFrame({"text": [FILLER * 2 + "but nobody came"]}).to_parquet(folder / "meetings.parquet")
    (folder / "poem.txt").write_text("of the sea and the sky " * 4, encoding="utf-8")
    (folder / "notes.md").write_text(QUESTION, encoding="utf-8")
    return folder


def test_a_benchmark_is_found_whatever_its_case_and_punctuation(folder: Path) -> None:
    benchmarks = read_benchmarks(str(folder))
    assert (benchmarks.texts, benchmarks.too_short) == (5, 1)

    copied = benchmarks.overlap(FILLER[:40] + re.sub(r"[.?']", "", QUESTION.upper()) + " -- " + FILLER[:40])
    assert copied.benchmarks == ("maths.jsonl",)
    assert 0.3 < copied.share < 1
    assert benchmarks.overlap(QUESTION).share == 1

    both = benchmarks.overlap(f"{ANSWER} {FILLER} {FILLER}")
    assert both.benchmarks == ("maths.jsonl", "meetings.parquet")


@pytest.mark.parametrize("text", ["", "Too short?", " ".join(QUESTION.split()[: WORDS - 1]), "\ud800", "x " * 5_000])
def test_a_text_without_a_shared_run_of_words_is_not_marked(folder: Path, text: str) -> None:
    assert read_benchmarks(str(folder)).overlap(text).share == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), max_size=40), st.lists(st.sampled_from("abcd"), max_size=40), st.integers(1, 6)
)
def test_hashed_runs_of_words_are_those_of_lists_of_words(one: list[str], two: list[str], n: int) -> None:
    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}

    a, b = word_ngrams(" ".join(one), n), word_ngrams(" ".join(two), n)

    assert len(a) == len(runs(one))
    assert len(set(a.tolist()) & set(b.tolist())) == len(runs(one) & runs(two))


def test_the_digest_changes_with_the_texts_only(folder: Path) -> None:
    before = read_benchmarks(str(folder)).digest
    (folder / "notes.md").write_text("other notes", encoding="utf-8")
    assert read_benchmarks(str(folder)).digest == before
    (folder / "poem.txt").write_text("of the sea and the sky " * 4 + "and the land", encoding="utf-8")
    assert read_benchmarks(str(folder)).digest != before


def test_a_folder_without_benchmarks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("too short", encoding="utf-8")
    with pytest.raises(InputError, match="no benchmark text of 13 words"):
        read_benchmarks(str(tmp_path))
    with pytest.raises(InputError, match="no such file or folder"):
        read_benchmarks(str(tmp_path / "nowhere"))
