"""Measure what an offset for each kind of page gives to a calibration, on web_pages.

    python -m benchmarks.kinds --data FOLDER --output work/kinds

The scores are those of a lexical model that left the fold out. Four fifths of the documents, in whole clusters, give a
calibration and the offsets: mean label minus mean expected label of each kind with 20 documents or more, drawn towards
their mean (`assay.metrics.slices.shrink`). Scores of a kind are moved by what moves its mean expected label as far. The
fifth that is left is measured.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import spearmanr

from assay.labels import assign_folds
from assay.metrics import LEAST_SLICE
from assay.metrics.slices import shrink
from assay.model import Calibration
from benchmarks.goals import FOLDS, Labelled, load, words_scores

SHOWN = ("Spearman", "mean absolute error", "Brier's score")
FARTHEST = 3.0
"""Largest move of a score, in standard deviations of all."""


def held_out_scores(of: Labelled, seed: int) -> NDArray[np.float64]:
    """Return the scores of words alone, each by a model that left the document's fold out."""
    fold, scores = assign_folds(of.labels, of.clusters, of.rubric.threshold, FOLDS, seed), np.zeros(len(of.texts))
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        scores[inside] = words_scores(of, outside, inside, seed)
    return scores


def moves(
    scores: NDArray[np.float64], labels: NDArray[np.float64], kinds: NDArray[np.str_], calibration: Calibration
) -> dict[str, float]:
    """Return how far the scores of each kind are moved."""
    known = [kind for kind in np.unique(kinds) if (kinds == kind).sum() >= LEAST_SLICE]
    off = [labels[kinds == kind] - calibration.apply(scores[kinds == kind]).calibrated for kind in known]
    error = np.array([each.std(ddof=1) / np.sqrt(len(each)) for each in off])
    wanted = shrink(np.array([each.mean() for each in off]), error)
    found = {}
    for kind, offset in zip(known, wanted, strict=True):
        own, far = scores[kinds == kind], FARTHEST * scores.std()
        before = calibration.apply(own).calibrated.mean()

        def missing(move: float, own: NDArray[np.float64] = own, goal: float = before + offset) -> float:
            return float(calibration.apply(own + move).calibrated.mean() - goal)

        found[kind] = brentq(missing, -far, far) if missing(-far) < 0 < missing(far) else 0.0
    return found


def measured(
    scores: NDArray[np.float64], labels: NDArray[np.float64], calibration: Calibration, threshold: float
) -> list[float]:
    """Return the figures of SHOWN."""
    found, keep = calibration.apply(scores), labels >= threshold
    return [
        float(spearmanr(found.calibrated, labels)[0]),
        float(np.abs(found.calibrated - labels).mean()),
        float(((found.p_keep - keep) ** 2).mean()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    of = load("web_pages", options.data, options.output)
    table = pd.read_parquet(options.data / "web_pages" / "labels.parquet").drop_duplicates("text").set_index("text")
    kinds = table.loc[of.texts, "page_type"].to_numpy(str)
    low, high, threshold = of.rubric.low, of.rubric.high, of.rubric.threshold
    rows = []
    for seed in options.seeds:
        scores = held_out_scores(of, seed)
        fold = assign_folds(of.labels, of.clusters, threshold, FOLDS, seed + 100)
        each = []
        for number in range(FOLDS):
            known, left = fold != number, fold == number
            curve = Calibration.fit(scores[known], of.labels[known], low=low, high=high, threshold=threshold)
            move = moves(scores[known], of.labels[known], kinds[known], curve)
            moved = scores + np.array([move.get(kind, 0.0) for kind in kinds])
            each.append([measured(s[left], of.labels[left], curve, threshold) for s in (scores, moved)])
        rows.append(np.mean(each, axis=0))
    print("| seed | " + " | ".join(f"{name}: one curve | with offsets" for name in SHOWN) + " |")
    print("|---" * (1 + 2 * len(SHOWN)) + "|")
    for seed, (one, both) in zip(options.seeds, rows, strict=True):
        print(f"| {seed} | " + " | ".join(f"{a:.3f} | {b:.3f}" for a, b in zip(one, both, strict=True)) + " |")


if __name__ == "__main__":
    main()
