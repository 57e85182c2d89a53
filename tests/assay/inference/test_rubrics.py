"""One pass for all rubrics gives the scores that each rubric gives alone, bit for bit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from assay.errors import InputError
from assay.inference import Assessment, Scorer, assess, check_golden, read_golden, write_golden
from assay.model import Aspect, Calibration, ModelInfo, Windows, new_model, output_layer, save_model
from assay.rubric import Rubric, load_rubric

RUBRICS = [load_rubric("education"), Rubric("legal", 0, 3, 2), Rubric("fun", 1, 90, 50)]
MEANING = ["score", "calibrated", "p_keep", "grade", "keep"]


@pytest.fixture(scope="module")
def texts(sample: list[dict]) -> list[str]:
    return [row["text"] for row in sample[:60]]


@pytest.fixture(scope="module")
def scorer(tiny_encoder: Path, texts: list[str]) -> Scorer:
    """An untrained model with three outputs, each calibrated to labels in the order of its scores."""
    info = ModelInfo(
        str(tiny_encoder), RUBRICS[0], Windows(24, 3), others=tuple(Aspect(rubric) for rubric in RUBRICS[1:])
    )
    bare = Scorer(new_model(info, seed=0))
    with torch.no_grad():  # as it is, its scores are nearly equal
        for weights in bare.model.network.parameters():
            weights.mul_(8 if weights.ndim == 2 else 1)
    fitted = []
    for rubric, score in zip(RUBRICS, bare.read(texts).scores.T, strict=True):
        labels = np.linspace(rubric.low, rubric.high, len(texts)).round()[score.argsort().argsort()]
        fitted.append(Calibration.fit(score, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold))
    return Scorer(replace(bare.model, info=info.calibrated(fitted)))


def test_one_pass_gives_the_scores_of_each_rubric_alone_bit_for_bit(scorer: Scorer, texts: list[str]) -> None:
    together = scorer.score(texts)

    assert together.columns.tolist()[:7] == ["score", "tokens", "read", "calibrated", "p_keep", "grade", "keep"]
    assert together.columns.tolist()[7:] == [f"{name}_{of}" for name in ("legal", "fun") for of in MEANING]
    for rubric in RUBRICS:
        alone = Scorer(scorer.model, rubric=rubric.name).score(texts)
        assert set(alone.columns) == {*MEANING, "tokens", "read"}
        prefix = "" if rubric == RUBRICS[0] else f"{rubric.name}_"
        for name in MEANING:
            assert alone[name].nunique() > 1
            np.testing.assert_array_equal(together[f"{prefix}{name}"], alone[name])
    assert not np.allclose(together["score"], together["legal_score"])


def test_outputs_equal_those_of_plain_transformers(scorer: Scorer, texts: list[str]) -> None:
    network, tokenizer = scorer.model.network, scorer.model.tokenizer
    short = [text[:20] for text in texts[:10]]  # of one window
    batch = tokenizer(short, truncation=True, max_length=24, padding=True, return_tensors="pt")
    with torch.inference_mode():
        plain = network(**batch).logits.numpy()

    np.testing.assert_allclose(scorer.read(short).scores, plain, atol=1e-4)


def test_bf16_rounds_no_output(scorer: Scorer, texts: list[str]) -> None:
    fast = Scorer(replace(scorer.model, info=replace(scorer.model.info, precision="bf16")))

    for scores in fast.read(texts).scores.T:
        assert len(set(scores)) > 55


def test_a_document_has_scores_by_every_rubric_or_by_none(scorer: Scorer, texts: list[str]) -> None:
    mixed = [texts[0], "", None, texts[1]]
    found = assess(scorer, mixed)

    table = found.table()
    own = list(Assessment.to_schema().columns)
    Assessment.validate(table[own])
    assert table.columns.tolist()[len(own) :] == [f"{name}_{of}" for name in ("legal", "fun") for of in MEANING]
    scored = table["reason"].isna()
    assert scored.tolist() == [True, False, False, True]
    for name in table.columns[len(own) :]:
        assert table[name].notna().tolist() == scored.tolist(), name
    legal = assess(Scorer(scorer.model, rubric="legal"), mixed).table()
    for name in MEANING:
        pd.testing.assert_series_equal(table[f"legal_{name}"], legal[name], check_names=False)

    rows = json.loads(json.dumps(found.rows()))
    assert [set(row["rubrics"]) for row in rows] == [{"legal", "fun"}] * 4
    assert rows[0]["rubrics"]["fun"]["score"] == table["fun_score"][0]
    assert rows[1]["rubrics"]["fun"] == dict.fromkeys(MEANING)
    assert "rubrics" not in assess(Scorer(scorer.model, rubric="legal"), mixed).rows()[0]


def test_a_model_with_one_uncalibrated_rubric_is_refused(scorer: Scorer) -> None:
    info = scorer.model.info
    bare = replace(info, others=(info.others[0], Aspect(RUBRICS[2])))

    with pytest.raises(InputError, match="never calibrated"):
        assess(Scorer(replace(scorer.model, info=bare)), ["a text"])
    assert assess(Scorer(replace(scorer.model, info=bare), rubric="legal"), ["a text"]).scored.all()
    with pytest.raises(InputError, match="no rubric 'x'"):
        Scorer(scorer.model, rubric="x")


@pytest.mark.parametrize("output", [0, 1, 2])
def test_the_golden_documents_cover_every_output(scorer: Scorer, texts: list[str], tmp_path: Path, output: int) -> None:
    save_model(scorer.model, tmp_path)
    write_golden(scorer, [str(n) for n in range(len(texts))], texts, tmp_path)
    assert list(read_golden(tmp_path)[0]) == ["id", "text", "score", "legal_score", "fun_score"]
    assert check_golden(Scorer.load(tmp_path), tmp_path).passed

    loaded, rubric = Scorer.load(tmp_path), RUBRICS[output]
    tolerance = 1e-3 * (rubric.high - rubric.low)
    for off, passes in ((0.9, True), (1.1, False)):  # planted: one output is shifted
        with torch.no_grad():
            output_layer(loaded.model.network).bias.copy_(output_layer(scorer.model.network).bias)
            output_layer(loaded.model.network).bias[output] += off * tolerance
        report = check_golden(loaded, tmp_path)
        assert report.passed == passes
        assert report.worst == pytest.approx(off * report.tolerance, rel=0.05)


def test_golden_texts_with_unicode_line_separators_are_read_again(
    scorer: Scorer, texts: list[str], tmp_path: Path
) -> None:
    odd = [f"{text}\u2028and\x85more" for text in texts]

    write_golden(scorer, [str(n) for n in range(len(odd))], odd, tmp_path)

    assert {row["text"] for row in read_golden(tmp_path)} <= set(odd)
    assert check_golden(scorer, tmp_path).passed


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "Expecting property name"),
        ("3", "input should be an object"),
        ('{"id": "a", "text": "b"}', "score: field required"),
    ],
)
def test_damaged_golden_documents_are_refused_with_their_line(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / "golden.jsonl").write_text('{"id": "a", "text": "b", "score": 1}\n' + line + "\n")

    with pytest.raises(InputError, match=rf"golden\.jsonl cannot be read: .*{fault}.*line 2"):
        read_golden(tmp_path)
