"""Compare one network for educational and legal value with a network for each.

    python -m benchmarks.jointly --data FOLDER --output work/goals [--seeds 0 1 2]

The sets are fineweb_edu and fineweb_legal with the parts of `benchmarks.goals`. Both may share an output folder, since
the fits of one rubric are the same. The joint network is trained on the training parts of both sets, without
near-copies of measured documents of the other set. Prints a row for each rubric and way, and the difference of Spearman
for each seed with 95 % intervals.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.dedup import near_duplicate_clusters
from assay.inference import Scorer
from assay.metrics import Outcomes, measure, paired_bootstrap
from assay.model import Aspect, ModelInfo
from assay.storage import digest_json
from assay.training import TrainConfig, recipe
from assay.training.loop import fit
from benchmarks.goals import SHOWN, Labelled, Parts, fitted_scores, gain, load, parts_of, predictions

SETS = ("fineweb_edu", "fineweb_legal")


def joint_scores(
    sets: list[Labelled], parts: list[Parts], config: TrainConfig, place: Path
) -> list[NDArray[np.float64]]:
    """Return the scores of the calibration and test rows of each set by the network that is trained on both sets."""
    measured = [of.rows(np.concatenate([part.calibration, part.test])) for of, part in zip(sets, parts, strict=True)]
    learned = [of.rows(part.train) for of, part in zip(sets, parts, strict=True)]
    clusters = near_duplicate_clusters([*measured[0], *measured[1], *learned[0], *learned[1]], progress=False)
    bounds = np.cumsum([len(texts) for texts in (*measured, *learned)])[:-1]
    clusters_of = np.split(clusters, bounds)
    # A text in both sets has both labels. A missing label is NaN, which training ignores.
    rows: dict[str, list[float]] = {}
    for number, (of, part) in enumerate(zip(sets, parts, strict=True)):
        free = ~np.isin(clusters_of[2 + number], clusters_of[1 - number])
        for text, label in zip(of.rows(part.train[free]), of.labels[part.train[free]], strict=True):
            rows.setdefault(text, [np.nan, np.nan])[number] = label
    texts, labels = list(rows), np.array(list(rows.values()))
    name = digest_json({"texts": texts, "labels": np.nan_to_num(labels, nan=-1).tolist(), "config": asdict(config)})
    kept = place / f"jointly-{name[:16]}.npz"
    if not kept.exists():
        info = ModelInfo(config.encoder, sets[0].rubric, config.windows, others=(Aspect(sets[1].rubric),))
        model = fit(texts, labels, info, config).model
        found = [
            Scorer(model, rubric=of.rubric.name).read(asked).score for of, asked in zip(sets, measured, strict=True)
        ]
        np.savez(kept, *found)
    with np.load(kept) as found:
        return [found[name] for name in found.files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    sets = [load(name, options.data, options.output) for name in SETS]
    tables: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for seed in options.seeds:
        config = recipe("best", precision="bf16", seed=seed)
        parts = [parts_of(of, seed) for of in sets]
        alone = [
            fitted_scores(of, part.train, np.concatenate([part.calibration, part.test]), config, options.output)
            for of, part in zip(sets, parts, strict=True)
        ]
        for way, scores in (("alone", alone), ("jointly", joint_scores(sets, parts, config, options.output))):
            for of, part, said in zip(sets, parts, scores, strict=True):
                cut = len(part.calibration)
                table = predictions(of, part.test, said[cut:], part.calibration, said[:cut])
                tables.setdefault((of.name, way), []).append(table)
    print("| set | learned | " + " | ".join(SHOWN) + " | better by, Spearman |\n" + "|---" * (len(SHOWN) + 3) + "|")
    for of in sets:
        for way in ("alone", "jointly"):
            values = [measure(Outcomes.of(table, of.rubric)) for table in tables[of.name, way]]
            cells = [[value[name] for value in values] for name in SHOWN]
            shown = [f"{np.mean(c):.3f} ± {np.std(c, ddof=1) if len(c) > 1 else np.nan:.3f}" for c in cells]
            found = zip(tables[of.name, "jointly"], tables[of.name, "alone"], strict=True)
            gains = [gain(paired_bootstrap(both, one, of.rubric)["spearman"]) for both, one in found]
            print(
                f"| {of.name} | {way} | " + " | ".join(shown) + f" | {', '.join(gains) if way == 'jointly' else ''} |"
            )


if __name__ == "__main__":
    main()
