"""The gates on documents of another source, and limits as people write them."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from assay.errors import InputError
from assay.gates import GateLimits, run_gates_elsewhere
from assay.gates.limits import limit_names, read_limits
from assay.metrics import Predictions
from assay.model import Calibration
from assay.rubric import load_rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot

RUBRIC = load_rubric("education")


class WeighsWords:
    """TF-IDF + ridge, a list of words with weights: what a list of keywords fools."""

    def __init__(self, texts: list[str], labels: np.ndarray) -> None:
        self.vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        self.ridge = Ridge(1.0).fit(self.vectorizer.fit_transform(texts), labels)
        self.map = Calibration.fit(self.raw(texts), labels, low=0, high=5, threshold=3)

    def raw(self, texts: list[str]) -> np.ndarray:
        return self.ridge.predict(self.vectorizer.transform(texts))

    def score(self, texts: list[str]) -> pd.DataFrame:
        score = self.raw(texts)
        meaning = self.map.apply(score)
        columns = {"calibrated": meaning.calibrated, "p_keep": meaning.p_keep, "grade": meaning.grade}
        return pd.DataFrame({"score": score, **columns, "keep": meaning.keep})


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> tuple[Snapshot, WeighsWords]:
    """Documents that the planted model has not seen, and the model."""
    folder = tmp_path_factory.mktemp("elsewhere")
    order = np.random.default_rng(0).permutation(len(sample))
    rows = pd.DataFrame([sample[row] for row in order])
    rows[:150].to_parquet(folder / "d.parquet", index=False)
    snapshot = acquire(open_source(str(folder / "d.parquet")), Columns(label="label"), folder / "snapshot")
    return snapshot, WeighsWords(rows["text"][150:].tolist(), rows["label"][150:].to_numpy(float))


def predictions_of(snapshot: Snapshot, model: WeighsWords) -> pd.DataFrame:
    rows = range(snapshot.manifest.rows)
    table = pd.DataFrame({"id": [f"d{row}" for row in rows], "row": rows, "cluster": rows})
    table["label"] = np.array(snapshot.take(rows, "label"), float)
    return Predictions.validate(pd.concat([table, model.score(snapshot.take(rows))], axis=1))


def test_a_list_of_words_is_refused_also_elsewhere(elsewhere: tuple[Snapshot, WeighsWords]) -> None:
    snapshot, model = elsewhere
    predictions = predictions_of(snapshot, model)
    low = read_limits(["counterfactuals.stuffed_kept=0.1"])

    shortcuts, fooled = run_gates_elsewhere(model, snapshot, predictions, RUBRIC, columns=["genre"], limits=low)

    assert (shortcuts.name, fooled.name) == ("shortcuts", "counterfactuals")
    assert "column genre" in [row[""] for row in shortcuts.figures["explained"]]
    assert "which are not stuffed themselves" in fooled.figures["keywords from"]
    stuffed = next(row for row in fooled.figures["effects"] if row["change"] == "keywords_stuffed")
    assert stuffed["decisions turned"] > 0.2
    # Half of the documents below the threshold are fewer than 50: no verdict is better than a verdict on 40 documents.
    assert fooled.passed is None or fooled.refused


def test_a_limit_that_no_model_keeps_refuses(elsewhere: tuple[Snapshot, WeighsWords]) -> None:
    snapshot, model = elsewhere
    predictions = predictions_of(snapshot, model)

    strict = run_gates_elsewhere(
        model, snapshot, predictions, RUBRIC, limits=read_limits(["shortcuts.partial=0", "shortcuts.excess=0"])
    )

    assert strict[0].refused
    with pytest.raises(InputError, match="no column 'colour'"):
        run_gates_elsewhere(model, snapshot, predictions, RUBRIC, columns=["colour"])


def test_every_limit_has_a_name_and_the_last_value_counts() -> None:
    limits = GateLimits()
    counted = sum(len(fields(getattr(limits, gate.name))) for gate in fields(limits))

    assert len(set(limit_names())) == counted
    for name in limit_names():
        gate, field = name.split(".")
        default = getattr(getattr(limits, gate), field)
        assert read_limits([f"{name}={default}"]) == limits
    found = read_limits(["shortcuts.excess=0.1", "shortcuts.excess = 0.2", "counterfactuals.documents=60"])
    assert (found.shortcuts.excess, found.counterfactuals.documents) == (0.2, 60)
    assert found.leak == limits.leak


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("excess=1", "Name one of: shortcuts.excess"),
        ("shortcuts.excess", "the limit 'shortcuts.excess' cannot be read: .*Give shortcuts.excess= and a number"),
        ("shortcuts.excess=high", "shortcuts.excess: input should be a valid number, unable to parse"),
        ("counterfactuals.documents=60.5", "counterfactuals.documents: input should be a valid integer"),
        ("shortcuts.excess=nan", "excess is nan .limits of shortcuts.. Give 0 to 1"),
        ("counterfactuals.documents=3", "documents is 3 .*at least 50"),
        ("counterfactuals.shuffled_rise=nan", "shuffled_rise is nan .*0 or more labels"),
        ("leak.matters=inf", "matters is inf .limits of the leak gate.. Give a number above 0"),
        ("leak.matters=0", "above 0"),
        ("leak.leaked=2", "leaked is 2 .limits of the leak gate.. Give 0 to 1"),
    ],
)
def test_an_unusable_limit_is_refused(given: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_limits([given])
