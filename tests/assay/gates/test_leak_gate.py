"""A leak that is planted is refused, and a clean split passes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.dedup import near_duplicate_clusters, text_digest
from assay.errors import InputError
from assay.gates.leak import LeakLimits, leak_verdict
from assay.gates.split_comparison import SplitComparison, compare_splits
from assay.gates.straddling import find_straddling
from assay.gates.verdict import Verdict
from assay.labels import SplitConfig
from assay.labels.split import split
from assay.metrics import Predictions
from assay.rubric import Rubric, load_rubric

RUBRIC = load_rubric("education")


@pytest.fixture(scope="module")
def documents(sample: list[dict]) -> pd.DataFrame:
    """The sample with its split."""
    table = pd.DataFrame(sample)[["id", "text", "label"]].astype({"label": float})
    clusters = near_duplicate_clusters(table["text"].tolist(), progress=False)
    assignment = split(table["id"].tolist(), table["label"].tolist(), clusters, keep=table["label"] >= 3).assignment
    return table.merge(assignment, on="id")


def added(table: pd.DataFrame, texts: list[str], label: float, part: str) -> pd.DataFrame:
    """Add documents with new ids and clusters, as a careless merge of two files would."""
    new = pd.DataFrame({"id": [f"other-{i}" for i in range(len(texts))], "text": texts, "label": label, "part": part})
    new["cluster"] = table["cluster"].max() + 1 + np.arange(len(new))
    return pd.concat([table, new], ignore_index=True)


def verdict_of(table: pd.DataFrame, leaked: float = 0.0) -> Verdict:
    found = find_straddling(table["id"], table["text"].tolist(), table["part"])
    return leak_verdict(found, None, limits=LeakLimits(leaked=leaked))


def test_a_clean_split_passes(documents: pd.DataFrame) -> None:
    found = find_straddling(documents["id"], documents["text"].tolist(), documents["part"])

    assert found.test == (documents["part"] == "test").sum() > 80
    assert (found.exact, found.near, found.share) == ([], [], 0)
    assert verdict_of(documents).passed


@pytest.mark.parametrize("part", ["train", "calibration"])
def test_test_documents_copied_under_other_ids_are_refused(documents: pd.DataFrame, part: str) -> None:
    test = documents[documents["part"] == "test"]
    leaky = added(documents, [f"  {text.upper()}\n" for text in test["text"][:5]], 3.0, part)

    found = find_straddling(leaky["id"], leaky["text"].tolist(), leaky["part"])
    verdict = verdict_of(leaky)

    assert found.exact == found.near == test["id"].tolist()[:5]
    assert verdict.refused
    assert "5 of 90 test documents" in verdict.reasons[0]
    assert verdict_of(leaky, 0.1).passed


def test_one_test_document_that_was_changed_a_little_is_refused(documents: pd.DataFrame) -> None:
    test = documents[documents["part"] == "test"]
    longest = test.loc[test["text"].str.len().idxmax()]
    changed = f"{longest['text']} One more sentence, which nobody had written before."

    leaky = added(documents, [changed], 3.0, "train")
    found = find_straddling(leaky["id"], leaky["text"].tolist(), leaky["part"])

    assert (found.exact, found.near) == ([], [longest["id"]])
    assert verdict_of(leaky).refused


def test_what_was_set_aside_leaks_nothing(documents: pd.DataFrame) -> None:
    test = documents[documents["part"] == "test"]

    assert verdict_of(added(documents, test["text"].tolist(), 3.0, "set_aside")).passed


def copied(documents: pd.DataFrame, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Documents whose labels are noise beyond a weak trend in one word, each standing in six rows of the source."""
    generator = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(400)]
    n = 300
    label = generator.integers(0, 6, n).astype(float)
    texts = [
        " ".join([*generator.choice(words, 60), *["theorem"] * int(max(0, level + generator.normal(0, 2)))])
        for level in label
    ]
    table = pd.DataFrame({"id": [f"c{i}" for i in range(n)], "text": texts, "label": label, "cluster": range(n)})
    assignment = split(table["id"].tolist(), label, range(n), keep=label >= 3).assignment
    return table.drop(columns="cluster").merge(assignment, on="id"), np.full(n, 6)


def comparison_of(table: pd.DataFrame, copies: np.ndarray, rubric: Rubric = RUBRIC) -> SplitComparison:
    return compare_splits(
        table["id"].tolist(),
        table["text"].tolist(),
        table["label"].to_numpy(),
        table["part"].tolist(),
        table["cluster"].to_numpy(),
        rubric,
        copies=copies,
    )


def predictions_of(table: pd.DataFrame, noise: float) -> pd.DataFrame:
    """Predictions of a model whose score is the label plus some noise."""
    test = table[table["part"] == "test"]
    score = test["label"] + np.random.default_rng(1).normal(0, noise, len(test))
    meaning = {"score": score, "calibrated": score.clip(0, 5), "p_keep": 1 / (1 + np.exp(2.5 - score))}
    grades = {"grade": score.round().clip(0, 5), "keep": score >= 2.5}
    return Predictions.validate(test[["id", "cluster", "label"]].assign(**meaning, **grades))


def test_a_random_split_of_copied_rows_flatters_and_a_model_as_good_as_that_is_refused(
    documents: pd.DataFrame,
) -> None:
    table, copies = copied(documents)
    clean = find_straddling(table["id"], table["text"].tolist(), table["part"])
    found = comparison_of(table, copies)

    assert (found.train, found.test) == (6 * 180, 6 * 60)
    assert found.random_seen > 0.95
    assert found.difference["spearman"].low > 0.1

    learnt_by_heart = leak_verdict(clean, found, predictions_of(table, 0.01), RUBRIC)
    honest = leak_verdict(clean, found, predictions_of(table, 2.5), RUBRIC)

    assert learnt_by_heart.refused
    assert "may have been trained on the test documents" in learnt_by_heart.reasons[0]
    assert honest.passed, honest.reasons
    assert honest.figures["splits"][0]["random adds"] == found.difference["f1"].value


def test_without_copies_the_two_splits_are_level_and_good_models_are_not_suspected(documents: pd.DataFrame) -> None:
    clean = find_straddling(documents["id"], documents["text"].tolist(), documents["part"])
    found = comparison_of(documents, np.ones(len(documents), int))

    assert found.random_seen == 0
    assert all(interval.low < 0 < interval.high for interval in found.difference.values())
    assert leak_verdict(clean, found, predictions_of(documents, 0.05), RUBRIC).passed


def test_a_split_that_leaks_does_not_pass_for_the_grouped_one(documents: pd.DataFrame) -> None:
    test = documents[documents["part"] == "test"]
    leaky = added(documents, [f"{text} " for text in test["text"]], 0.0, "train")
    units = near_duplicate_clusters(leaky["text"].tolist(), progress=False)

    found = comparison_of(leaky.assign(cluster=units), np.ones(len(leaky), int))

    assert found.train == (documents["part"] == "train").sum()
    assert sorted(found.cheap["id"]) == sorted(test["id"])


def test_the_comparison_can_be_repeated(documents: pd.DataFrame) -> None:
    one, other = (comparison_of(documents, np.ones(len(documents), int)) for _ in range(2))

    assert one.difference == other.difference
    pd.testing.assert_frame_equal(one.cheap, other.cheap)


def test_limits_are_checked_and_too_little_is_no_comparison(documents: pd.DataFrame) -> None:
    for wrong in ({"leaked": 1.5}, {"matters": 0}, {"matters": float("nan")}, {"explained": 0}):
        with pytest.raises(InputError):
            LeakLimits(**wrong)
    few = documents.groupby("part").head(15)
    with pytest.raises(InputError, match="too few documents to calibrate"):
        comparison_of(few, np.ones(len(few), int))


@pytest.mark.full
def test_published_labels_full_of_copies_reach_their_published_figure_at_random_alone(shared_data: Path) -> None:
    rows = pd.read_parquet(shared_data / "fineweb_legal/annotations.parquet", columns=["text", "label"])
    groups = rows.groupby(rows["text"].map(text_digest), sort=False)
    table = groups.agg(text=("text", "first"), label=("label", "median")).rename_axis("id").reset_index()
    table["cluster"] = near_duplicate_clusters(table["text"].tolist(), progress=False)
    config = SplitConfig(calibration=0.1)
    assignment = split(table["id"].tolist(), table["label"], table["cluster"], keep=table["label"] >= 3, config=config)
    table = table.drop(columns="cluster").merge(assignment.assignment, on="id")

    found = comparison_of(table, groups.size().to_numpy(), Rubric("legal", 0, 5, 3))

    assert found.random["f1"].value > 0.95
    assert found.grouped["f1"].value < 0.93
    assert found.difference["f1"].low > 0
