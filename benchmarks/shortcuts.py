"""Measure the gates: how far surface features explain labels and scores, effects of changed texts, and of leaks.

    python -m benchmarks.shortcuts --data FOLDER --output work/shortcuts [--models sample …]

Models are those of `benchmarks.quality` with seed 0, trained if they are missing. TF-IDF + ridge is fitted on the same
training part. Prints the tables of RESULTS.md.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from assay.gates import Reader, compare_splits, find_straddling, keywords, measure_counterfactuals, measure_shortcuts
from assay.inference import Scorer
from assay.labels import PreparedSplit, SplitConfig, part_of, split_documents, validate
from assay.metrics import Interval
from assay.model import Calibration
from assay.rubric import Rubric, load_rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import Snapshot
from benchmarks.quality import SETS, train

KINDS = {"web_pages": "page_type"}
LABELLED = ("sample", "web_pages", "fineweb_edu", "fineweb_legal")
FEATURES = ("length", "upper_case", "digits", "line_breaks")


class Cheap:
    """Calibrated TF-IDF + ridge: a list of words with weights."""

    def __init__(self, texts: Sequence[str], labels: np.ndarray) -> None:
        self.vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=300_000)
        self.ridge = Ridge(1.0, solver="sparse_cg").fit(self.vectorizer.fit_transform(texts), labels)
        self.map: Calibration | None = None

    def calibrate(self, texts: Sequence[str], labels: np.ndarray, rubric: Rubric) -> "Cheap":
        raw = self.ridge.predict(self.vectorizer.transform(texts))
        self.map = Calibration.fit(raw, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)
        return self

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        raw = np.asarray(self.ridge.predict(self.vectorizer.transform(texts)))
        assert self.map is not None
        meaning = self.map.apply(raw)
        return pd.DataFrame({"score": raw, "calibrated": meaning.calibrated, "keep": meaning.keep})


def words(interval: Interval) -> str:
    """Return an interval as text."""
    if interval.value is None:
        return "–"
    inside = "" if interval.low is None or interval.high is None else f" [{interval.low:.2f}, {interval.high:.2f}]"
    return f"{interval.value:.2f}{inside}"


def prepared(name: str, data: Path, scratch: Path) -> tuple[Snapshot, pd.DataFrame, PreparedSplit, Rubric]:
    """Return a set as `assay train` prepares it: the same documents and, with seed 0, the same split."""
    snapshot = acquire(open_source(str(data / SETS[name].path)), Columns(label="label"), scratch / name)
    rubric = load_rubric("education") if name != "fineweb_legal" else Rubric("legal", 0, 5, 3)
    documents = validate(snapshot, rubric).documents
    return snapshot, documents, split_documents(snapshot, documents, rubric, ledger=None, config=SplitConfig()), rubric


def surface_rows(name: str, system: str, predictions: pd.DataFrame, texts: list[str], kinds: dict) -> str:
    found = measure_shortcuts(predictions, texts, columns=kinds)
    partial = {a.feature: a.partial for a in found.associations if a.slice == "all"}
    explained = [found.explained[which] for which in ("label", "score", "excess", "beyond")]
    cells = [words(i) for i in explained] + [words(partial[f]) if f in partial else "–" for f in FEATURES[:2]]
    return f"| {name} | {system} | " + " | ".join(cells) + f" | {_said(found.verdict().passed)} |"


def _said(passed: bool | None) -> str:
    return {True: "passed", False: "refused", None: "none"}[passed]


def leak_row(name: str, snapshot: Snapshot, documents: pd.DataFrame, divided: PreparedSplit, rubric: Rubric) -> str:
    table = documents.merge(divided.assignment, on="id").sort_values("row", ignore_index=True)
    texts, parts = snapshot.take(table["row"]), table["part"].tolist()
    straddling = find_straddling(table["id"].tolist(), texts, parts)
    found = compare_splits(
        table["id"].tolist(), texts, table["label"].to_numpy(), parts, straddling.clusters, rubric,
        copies=table["copies"].to_numpy(),
    )  # fmt: skip
    cells = [f"{found.train:,} / {found.test:,}", f"{found.random_seen:.0%}", str(len(straddling.near))]
    for which in ("f1", "qwk", "spearman"):
        added = found.difference[which]
        cells.append(f"{found.random[which].value:.3f} / {found.grouped[which].value:.3f} ({words(added)})")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--models", nargs="*", default=["sample"], choices=list(LABELLED))
    options = parser.parse_args()
    surface, changes, leaks = [], {}, []
    with tempfile.TemporaryDirectory() as scratch:
        for name in LABELLED:
            snapshot, documents, divided, rubric = prepared(name, options.data, Path(scratch))
            leaks.append(leak_row(name, snapshot, documents, divided, rubric))
            fit, calibration, test = (
                part_of(documents, divided.assignment, part) for part in ("train", "calibration", "test")
            )
            texts = {id(part): snapshot.take(part["row"]) for part in (fit, calibration, test)}
            cheap = Cheap(texts[id(fit)], fit["label"].to_numpy())
            cheap.calibrate(texts[id(calibration)], calibration["label"].to_numpy(), rubric)
            systems: dict[str, Reader] = {"TF-IDF + ridge": cheap}
            if name in options.models:
                systems["MiniLM"] = Scorer.load(train(name, options.data, options.output, seed=0))
            # No model has been trained on these two parts.
            unseen = pd.concat([calibration, test], ignore_index=True)
            others = texts[id(calibration)] + texts[id(test)]
            kinds = {KINDS[name]: snapshot.take(unseen["row"], KINDS[name])} if name in KINDS else {}
            listed = keywords(texts[id(fit)], fit["label"].tolist(), rubric.threshold)
            for system, model in systems.items():
                predictions = unseen.assign(score=model.score(others)["score"].to_numpy())
                surface.append(surface_rows(name, system, predictions, others, kinds))
                found = measure_counterfactuals(model, unseen, others, listed, rubric.threshold)
                changes[f"{name}, {system}"] = found
            print(f"{name} measured", flush=True)
    print("\n| set | system | R² of the label | of the score | excess | beyond | length | upper case | gate |")
    print("|---" * 9 + "|\n" + "\n".join(surface))
    print("\n| change | " + " | ".join(changes) + " |\n" + "|---" * (1 + len(changes)) + "|")
    for effect in next(iter(changes.values())).effects:
        cells = [found.effects[effect] for found in changes.values()]
        shown = [f"{'–' if c.shift.value is None else f'{c.shift.value:+.2f}'}; {words(c.flips)}" for c in cells]
        print(f"| {effect} | " + " | ".join(shown) + " |")
    print("| gate | " + " | ".join(_said(found.verdict().passed) for found in changes.values()) + " |")
    print("\n| set | train / test rows | random: seen | grouped: seen | F1 | QWK | Spearman |")
    print("|---" * 7 + "|\n" + "\n".join(leaks))


if __name__ == "__main__":
    main()
