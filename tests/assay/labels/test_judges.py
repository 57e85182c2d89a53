"""Labels by several judges on one level: what is found, what is refused, and a run from end to end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.labels import validate
from assay.labels.judges import LEAST, JudgeLevel, level_judges
from assay.rubric import load_rubric
from assay.sources import Columns, acquire, open_source

RUBRIC = load_rubric("education")


def judged(count: int, seed: int = 0, *, other: float = 0.5) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return texts whose words tell their worth, that worth from 0 to 5, and two judges, who read different mixes."""
    random = np.random.default_rng(seed)
    judge = np.where(random.random(count) < other, "model", "people")
    worth = np.clip(random.normal(np.where(judge == "model", 1.5, 3.0), 1.2), 0, 5)
    texts = [
        " ".join(np.where(random.random(120) < part / 5, "theorem", "bargain"))
        + f" {row} "
        + " ".join(random.choice(["the", "of", "and", "to"], 30))
        for row, part in enumerate(worth)
    ]
    return texts, worth, judge


def test_a_level_is_found_although_the_judges_read_other_documents() -> None:
    texts, worth, judge = judged(800)
    random = np.random.default_rng(1)
    label = worth + random.normal(0, 0.3, 800)
    label = np.where(judge == "model", 0.7 + 0.8 * label, label)

    levelled, levels = level_judges(texts, label, judge, "people")

    by = {level.judge: level for level in levels}
    assert by["people"] == JudgeLevel("people", int((judge == "people").sum()), 0.0, 1.0)
    assert by["model"].offset == pytest.approx(0.7, abs=0.15)
    assert by["model"].slope == pytest.approx(0.8, abs=0.07)
    assert np.array_equal(levelled[judge == "people"], label[judge == "people"])
    off = (levelled - worth)[judge == "model"]
    assert abs(off.mean()) < 0.1
    assert (label - worth)[judge == "model"].mean() > 0.3, "as they came they were off"


def test_judges_of_one_level_stay_where_they_are() -> None:
    texts, worth, judge = judged(800)

    _, levels = level_judges(texts, worth + np.random.default_rng(2).normal(0, 0.3, 800), judge, "people")

    (model,) = [level for level in levels if level.judge == "model"]
    assert model.offset == pytest.approx(0, abs=0.15)
    # Labels at the end of the scale make the spread of the two mixes differ, and so the slopes over the words.
    assert model.slope == pytest.approx(1, abs=0.1)


def test_where_words_say_nothing_only_the_mean_is_moved() -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["a1", "b2", "c3", "d4"], 20)) for _ in range(300)]
    judge = np.repeat(["a", "b"], 150)
    label = np.where(judge == "a", 1.0, 3.0) + random.normal(0, 0.5, 300)

    levelled, levels = level_judges(texts, label, judge, "a")

    assert [level.slope for level in levels] == [1.0, 1.0]
    assert levelled[judge == "b"].mean() == pytest.approx(label[judge == "a"].mean(), abs=0.1)


def test_one_judge_changes_nothing() -> None:
    texts, worth, _ = judged(60)
    levelled, levels = level_judges(texts, worth, ["only"] * 60)
    assert np.array_equal(levelled, worth)
    assert levels == [JudgeLevel("only", 60, 0.0, 1.0)]


@settings(max_examples=8, deadline=None)
@given(st.floats(-2, 2), st.floats(0.5, 2))
def test_a_judge_may_use_any_scale(offset: float, slope: float) -> None:
    texts, worth, judge = judged(400)
    moved = np.where(judge == "model", offset + slope * worth, worth)

    plain, _ = level_judges(texts, worth, judge, "people")
    levelled, _ = level_judges(texts, moved, judge, "people")

    np.testing.assert_allclose(levelled, plain, atol=0.2)


def test_the_judge_with_most_labels_is_the_reference() -> None:
    texts, worth, judge = judged(200, other=0.8)
    _, levels = level_judges(texts, worth + (judge == "people"), judge)
    assert [level.judge for level in levels if level == JudgeLevel(level.judge, level.labels, 0.0, 1.0)] == ["model"]


def test_too_few_labels_and_a_missing_reference_are_refused() -> None:
    texts, worth, judge = judged(100)
    with pytest.raises(InputError, match=r"no label by the judge 'nobody'.*Name one of: model, people"):
        level_judges(texts, worth, judge, "nobody")
    names = np.where(np.arange(100) < LEAST - 1, "few", "many")
    with pytest.raises(InputError, match="29 labels by the judge 'few' are too few to find its level"):
        level_judges(texts, worth, names)


def source(folder: Path, **columns: object) -> Path:
    texts, worth, judge = judged(200)
    label = np.clip(np.where(judge == "model", 0.7 + 0.8 * worth, worth), 0, 5)
    table = pd.DataFrame({"text": texts, "label": label, "by": judge, **columns})
    table.to_parquet(folder / "labels.parquet", index=False)
    return folder / "labels.parquet"


def test_a_source_with_judges_is_validated_on_one_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = Columns(label="label", judge="by", reference_judge="people")
    snapshot = acquire(open_source(str(source(tmp_path))), columns, tmp_path / "snapshot")
    plain = acquire(open_source(str(source(tmp_path))), Columns(label="label"), tmp_path / "plain")

    found, as_given = validate(snapshot, RUBRIC).documents, validate(plain, RUBRIC).documents

    assert "by" in snapshot.manifest.schema, "it stays a column by which slices are made"
    moved = (found["label"] - as_given["label"]).abs() > 1e-9
    by = pd.Series(snapshot.take(found["row"], "by"))
    assert set(by[moved]) == {"model"}
    assert found["label"].between(0, 5).all()
    assert "level of model" in capsys.readouterr().err


def test_rows_without_a_judge_are_quarantined(tmp_path: Path) -> None:
    path = source(tmp_path)
    table = pd.read_parquet(path)
    table.loc[3, "by"] = None
    table.to_parquet(path, index=False)
    snapshot = acquire(open_source(str(path)), Columns(label="label", judge="by"), tmp_path / "snapshot")

    assert validate(snapshot, RUBRIC).quarantine["reason"].tolist() == ["no judge"]


def test_a_reference_that_labelled_nothing_is_named(tmp_path: Path) -> None:
    columns = Columns(label="label", judge="by", reference_judge="nobody")
    snapshot = acquire(open_source(str(source(tmp_path))), columns, tmp_path / "snapshot")

    with pytest.raises(InputError, match=r"no label by the reference judge.*Name one of: model, people"):
        validate(snapshot, RUBRIC)
    with pytest.raises(InputError, match="no column names the judges"):
        Columns(label="label", reference_judge="people")


def test_a_column_called_judge_is_used_as_it_is(tmp_path: Path) -> None:
    path = source(tmp_path)
    pd.read_parquet(path).rename(columns={"by": "judge"}).to_parquet(path, index=False)
    snapshot = acquire(open_source(str(path)), Columns(label="label", judge="judge"), tmp_path / "snapshot")

    assert [name for name in snapshot.manifest.schema if "judge" in name] == ["judge"]
    assert len(validate(snapshot, RUBRIC).documents) == 200
