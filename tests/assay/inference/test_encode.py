"""Windows: the tokens that are read, equal to those of plain transformers."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from assay.inference import encode, token_budget_batches, token_counter
from assay.inference.encode import window_starts
from assay.model import Windows


@given(st.integers(0, 3000), st.integers(1, 200), st.integers(1, 5))
def test_windows_stay_inside_and_cover_what_they_can(tokens: int, size: int, count: int) -> None:
    starts = window_starts(tokens, size, count)

    covered = {p for start in starts for p in range(start, min(start + size, tokens))}
    assert len(starts) <= count
    assert starts == sorted(set(starts))
    assert all(start < max(tokens, 1) for start in starts)
    assert 0 in covered or tokens == 0
    if tokens <= size * count:
        assert covered == set(range(tokens))
    elif count > 1:
        assert tokens - 1 in covered


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 1000))
def test_batches_hold_every_item_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = token_budget_batches(lengths, budget)

    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


def test_one_window_has_the_tokens_of_plain_transformers(tiny_encoder: Path, sample: list[dict]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    texts = [row["text"] for row in sample[:50]]

    ours = encode(tokenizer, texts, Windows(tokens=64))

    plain = tokenizer(texts, truncation=True, max_length=64)["input_ids"]
    assert [list(document.windows[0]) for document in ours] == plain


def test_the_tokens_in_windows_are_counted(tiny_encoder: Path, sample: list[dict]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    long = " ".join(row["text"] for row in sample[:5])

    one, three = (encode(tokenizer, [long], Windows(tokens=64, count=count))[0] for count in (1, 3))

    assert (one.read, three.read) == (62, 186)
    assert one.tokens == three.tokens == len(tokenizer(long, add_special_tokens=False)["input_ids"])
    last = tokenizer(long, add_special_tokens=False)["input_ids"][-62:]
    assert list(three.windows[-1][1:-1]) == last


@pytest.mark.parametrize("text", ["", " ", "\x00\x01", "\ud800 half a pair", "\u200b", "a" * 100_000])
def test_every_text_can_be_encoded(tiny_encoder: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)

    (document,) = encode(tokenizer, [text], Windows(tokens=16, count=2))

    assert 1 <= len(document.windows) <= 2
    assert all(2 <= len(window) <= 16 for window in document.windows)


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "vocab.txt"])
def test_each_file_of_a_tokenizer_is_a_part_of_its_name(file: str, tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / tiny_encoder.name)
    before = token_counter(str(tiny_encoder)).name
    assert token_counter(str(folder)).name == before

    path = folder / file
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    assert token_counter(str(folder)).name != before
    assert token_counter(str(folder)).name.startswith(f"{tiny_encoder.name} sha256:")
