"""Assessment: any text gets a score, or one of a few reasons why it has no score."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inference import REASONS, Assessment, Limits, Scorer, assess
from assay.language import identify_language

GERMAN = "Zwei Brüche werden addiert, indem man sie auf denselben Nenner bringt und dann die Zähler addiert. " * 3
POISON = {
    "": "no text",
    " \n\t\u3000": "no text",
    "word " * 1_000_000: "too long",
    "x" * 30_000_000: "too long",
    "the " * 100_000: "repetitive",
    "a" * 20_000: "repetitive",
    "\ud800 lone \udfff surrogates": "damaged",
    "lost \ufffd\ufffd characters \ufffd": "damaged",
    "\x00\x01\x02 controls": "damaged",
}


@pytest.fixture(scope="module")
def scorer(tiny_model: Path) -> Scorer:
    return Scorer.load(tiny_model)


def test_refused_texts_do_not_change_the_scores_of_their_neighbours(scorer: Scorer, sample: list[dict]) -> None:
    good = [row["text"] for row in sample[: len(POISON) + 1]]
    mixed: list[str | None] = [None]
    for text, poison in zip(good, POISON, strict=False):
        mixed += [text, poison]
    mixed.append(good[-1])

    table = Assessment.validate(assess(scorer, mixed).table())

    assert table["reason"].tolist()[0] == "no text"
    assert table["reason"].tolist()[2::2] == list(POISON.values())
    assert set(table["reason"].dropna()) <= set(REASONS)
    np.testing.assert_allclose(table["score"][1::2], scorer.score(good)["score"], atol=1e-5)
    empty = table[table["reason"].notna()]
    assert empty[["score", "calibrated", "p_keep", "grade", "keep"]].isna().all().all()
    assert (empty["tokens"] == 0).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.text(st.characters(codec=None), max_size=200), max_size=5))
def test_no_text_raises(scorer: Scorer, texts: list[str | None]) -> None:
    assessed = assess(scorer, texts)
    table = Assessment.validate(assessed.table())

    assert len(table) == len(texts)
    assert (table["reason"].isna() == table["score"].notna()).all()
    rows = json.loads(json.dumps(assessed.rows()))
    plain = table.astype(object).where(table.notna(), None)
    assert rows == plain.to_dict("records")


def test_the_same_texts_give_the_same_bytes(scorer: Scorer, sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[:150]]
    done: list[int] = []

    first, second = assess(scorer, texts, update=done.append).table(), assess(scorer, texts).table()

    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert sum(done) == 150


def test_a_document_that_breaks_the_network_is_the_only_one_without_a_score(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, whole = [f"a lesson about number {n}" for n in range(6)], scorer.read

    def fragile(some: list[str], **options: object) -> object:
        if "a lesson about number 3" in some:
            raise RuntimeError("out of memory")
        return whole(some)

    expected = scorer.score(texts)["score"].to_numpy()
    monkeypatch.setattr(scorer, "read", fragile)
    table = assess(scorer, texts).table()
    assert table["reason"].fillna("").tolist() == ["", "", "", "failed", "", ""]
    np.testing.assert_allclose(table["score"].drop(3), np.delete(expected, 3), atol=1e-5)

    def broken(some: list[str], **options: object) -> object:
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(scorer, "read", broken)
    with pytest.raises(RuntimeError, match="no kernel image"):
        assess(scorer, texts)
    assert assess(scorer, texts[:1]).reason == ["failed"]


def test_a_language_is_out_of_scope_only_beyond_doubt(scorer: Scorer) -> None:
    found = assess(scorer, [GERMAN, "x = [1, 2, 3]", "The sum of two fractions with one denominator is easy."])

    assert found.language[0] == "de"
    assert found.in_scope == [False, True, True]
    assert identify_language("").code == ""
    assert identify_language("\ud800\x00").probability <= 1


def test_windows_have_their_characters_and_their_mean_is_the_score(scorer: Scorer, sample: list[dict]) -> None:
    text = "\ud800 " + " ".join(row["text"] for row in sample[:5])

    windows = scorer.windows(text)

    size, count = scorer.model.info.windows.tokens, scorer.model.info.windows.count
    assert len(windows) == count
    np.testing.assert_allclose(np.mean([each.score for each in windows]), scorer.score([text])["score"][0], atol=1e-5)
    for each in windows:
        assert 0 <= each.start < each.end <= len(text)
        alone = len(scorer.model.tokenizer(text[each.start : each.end].replace("\ud800", "?"))["input_ids"])
        assert abs(alone - size) <= 1
    assert [(each.start, each.end) for each in scorer.windows("")] == [(0, 0)]


def test_a_model_without_calibration_is_refused(scorer: Scorer) -> None:
    from dataclasses import replace

    bare = Scorer(replace(scorer.model, info=replace(scorer.model.info, calibration=None)))
    with pytest.raises(InputError, match="never calibrated"):
        assess(bare, ["text"])
    with pytest.raises(InputError, match="limits of a document"):
        Limits(characters=0)


def test_a_model_of_bf16_always_scores_in_bf16(tiny_model: Path, sample: list[dict], tmp_path: Path) -> None:
    from dataclasses import replace

    import torch

    from assay.inference import check_golden, write_golden
    from assay.model import save_model

    scorer = Scorer.load(tiny_model)
    with torch.no_grad():  # as it is, its scores are nearly equal, and some are equal in fp32 itself
        for weights in scorer.model.network.base_model.parameters():
            weights.mul_(4 if weights.ndim == 2 else 1)
    texts = [row["text"] for row in sample[:60]]
    exact = scorer.score(texts)["score"].to_numpy()
    fast = Scorer(replace(scorer.model, info=replace(scorer.model.info, precision="bf16")))
    save_model(fast.model, tmp_path)
    write_golden(fast, [row["id"] for row in sample[:60]], texts, tmp_path)

    loaded = Scorer.load(tmp_path)
    rounded = loaded.score(texts)["score"].to_numpy()

    assert loaded.model.info.precision == "bf16"
    assert 0 < np.abs(rounded - exact).max() < 0.05
    assert len(set(rounded)) > 55, "the output layer is not rounded"
    assert check_golden(loaded, tmp_path).passed
    np.testing.assert_array_equal(scorer.score(texts)["score"], exact)  # the network computes in fp32 again


def test_the_last_layer_for_one_token_gives_the_same_scores(scorer: Scorer, sample: list[dict]) -> None:
    import torch

    from assay.inference import document_scores, encode

    documents = encode(scorer.model.tokenizer, [row["text"] for row in sample[:20]], scorer.model.info.windows)
    with torch.inference_mode():
        whole = document_scores(scorer.model.network, documents, 0, torch.device("cpu")).numpy()

    np.testing.assert_allclose(scorer.read([row["text"] for row in sample[:20]]).scores, whole, atol=1e-5)
