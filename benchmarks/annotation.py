"""Measure what several answers of a judge are worth, and how many labels chosen documents save.

    python -m benchmarks.annotation repeats --data FOLDER
    python -m benchmarks.annotation made
    python -m benchmarks.annotation draw --data FOLDER --output work/draw [--sets fineweb_edu fineweb_legal]
        [--seeds 0 1 2]
    python -m benchmarks.annotation estimate --data FOLDER --output work/draw

`repeats`: documents of repeated_judgements with five valid answers. 1 to 4 answers make a label, by mean and by
`combine`; what they say of the answer left out is measured, as the mean over the five that can be left out.
`made`: answers of made judges; Spearman of their labels with the quality that they were made from.
`draw`: two fifths of a set, in whole clusters, are measured. From the rest, labels are bought in rounds that double
their number: at random, or drawn by `assay.annotation` after the lexical model of the round before.
`estimate`: a lexical model of two fifths of a set scores the rest, of which 200 documents are drawn many times. It
prints the root mean squared error of the weighted figures, and their mean error.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from assay.annotation.agreement import measure_agreement
from assay.annotation.distance import distance_from
from assay.annotation.draw import DrawConfig, draw_documents
from assay.annotation.raters import combine, combine_answers
from assay.dedup import near_duplicate_clusters
from assay.labels import assign_folds
from assay.metrics import Outcomes, bootstrap_figures, corpus_weights, measure, rank_correlation, weighted_kappa
from assay.model import Calibration
from benchmarks.goals import Labelled, load, predictions, words_scores

FloatArray = NDArray[np.float64]
ANSWERS = 5
ESTIMATED = 200
"""Labels of an estimate."""
SIZES = (100, 200, 400, 800)
"""Labels after each round."""
RANDOM = DrawConfig(uniform=1.0, strata=0, rare=0, unsure=0, new=0)
WAYS = {
    "at random": RANDOM,
    "drawn (defaults)": DrawConfig(),
    "drawn, more rare scores": DrawConfig(uniform=0.25),
    "drawn, rare scores alone": DrawConfig(strata=0, unsure=0, new=0),
    "drawn, unsure alone": DrawConfig(strata=0, rare=0, new=0, unsure=1),
}


def repeats(data: Path) -> None:
    table = pd.read_parquet(data / "repeated_judgements")
    rows = [
        (name, "judge", n, grade)
        for name, given in zip(table["id"], table["scores"], strict=True)
        for n, grade in enumerate(given)
    ]
    answers = pd.DataFrame(rows, columns=["id", "judge", "repeat", "grade"])
    cluster = dict(zip(table["id"], near_duplicate_clusters(table["text"].tolist(), progress=False), strict=True))
    found = measure_agreement(answers, 0, 5, clusters=cluster)
    print(f"All {len(table):,} documents, {answers['grade'].notna().sum():,} answers. {' '.join(found.sentences())}")
    print(f"Test-retest QWK {found.retests[0].qwk.in_words()}.")
    together = combine_answers(answers, 0, 5)
    print(f"combine: reliability of its labels {together.reliability:.3f}, ceiling {together.ceiling:.3f}\n")

    whole = answers.groupby("id")["grade"].transform("count") == ANSWERS
    wide = answers[whole].pivot(index="id", columns="repeat", values="grade")
    unit = np.array([cluster[name] for name in wide.index])
    labels: dict[tuple[str, int, int], FloatArray] = {}
    for left in range(ANSWERS):
        others = [n for n in range(ANSWERS) if n != left]
        for count in range(1, ANSWERS):
            given = wide[others[:count]]
            labels["mean", count, left] = given.mean(axis=1).to_numpy()
            labels["median", count, left] = given.median(axis=1).to_numpy()
            kept = answers[whole & answers["repeat"].isin(others[:count])]
            made = combine(kept, 0, 5).set_index("id").loc[wide.index, "label"]
            labels["combine", count, left] = made.to_numpy()
    out = {left: wide[left].to_numpy() for left in range(ANSWERS)}
    ranks = {key: rankdata(label, "dense").astype(float) for key, label in labels.items()}
    out_ranks = {left: rankdata(answer, "dense").astype(float) for left, answer in out.items()}

    def figures(weight: FloatArray) -> dict[str, float]:
        values: dict[str, list[float]] = {}
        for (way, count, left), label in labels.items():
            key, grade = f"{way} {count}", np.floor(label + 0.5)
            said = (
                ("Spearman", float(rank_correlation(ranks[way, count, left], out_ranks[left], weight))),
                ("QWK", float(weighted_kappa(grade, out[left], weight))),
                ("squared error", float(weight @ (label - out[left]) ** 2 / weight.sum())),
            )
            for name, value in said:
                values.setdefault(f"{key} {name}", []).append(value)
        means = {key: float(np.mean(each)) for key, each in values.items()}
        one = {name: means[f"mean 1 {name}"] for name in ("Spearman", "QWK", "squared error")}
        gains = {f"{key} gain": value - one[next(n for n in one if key.endswith(n))] for key, value in means.items()}
        return means | gains

    measured = bootstrap_figures(figures, unit, resamples=300)
    print(f"{len(wide):,} documents with five valid answers.\n")
    print("| label of | by | Spearman with the answer left out | gain over one answer | QWK | squared error |")
    print("|---|---|---|---|---|---|")
    for count in range(1, ANSWERS):
        for way in ("mean", "median", "combine"):
            if way == "median" and count < 3:
                continue
            key = f"{way} {count}"
            gain = measured[f"{key} Spearman gain"]
            shown = f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if count > 1 else "–"
            cells = [measured[f"{key} {name}"].value for name in ("Spearman", "QWK", "squared error")]
            print(f"| {count} | {way} | {cells[0]:.3f} | {shown} | {cells[1]:.3f} | {cells[2]:.3f} |")


def dawid_skene(answers: pd.DataFrame, *, grades: int = 6, rounds: int = 100) -> pd.Series:
    """Return the posterior mean of the latent class by id (Dawid and Skene 1979), with one answer added to each row."""
    ids, document = np.unique(answers["id"], return_inverse=True)
    _, judge = np.unique(answers["judge"], return_inverse=True)
    grade = answers["grade"].to_numpy(int)
    posterior = np.full((len(ids), grades), 1e-3)
    np.add.at(posterior, (document, grade), 1)
    posterior /= posterior.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        table = np.full((judge.max() + 1, grades, grades), 1 / grades)
        np.add.at(table.transpose(0, 2, 1), (judge, grade), posterior[document])
        table /= table.sum(axis=2, keepdims=True)
        log = np.tile(np.log(posterior.mean(axis=0)), (len(ids), 1))
        np.add.at(log, document, np.log(table[judge, :, grade]))
        posterior = np.exp(log - log.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
    return pd.Series(posterior @ np.arange(grades), ids)


MADE = {
    "three alike": {"a": (0.0, 1.0, 0.7), "b": (0.0, 1.0, 0.7), "c": (0.0, 1.0, 0.7)},
    "good, lenient, poor": {"a": (0.0, 1.0, 0.5), "b": (1.0, 0.9, 0.7), "c": (0.0, 1.0, 1.6)},
    "good, lenient, random": {"a": (0.0, 1.0, 0.5), "b": (1.0, 0.9, 0.7), "c": (2.5, 0.0, 1.7)},
}
"""Name -> judge -> bias, scale and noise in grades."""


def made(seeds: int = 5) -> None:
    print("| judges | documents | mean | Dawid-Skene | combine |")
    print("|---|---|---|---|---|")
    for name, judges in MADE.items():
        for count in (100, 300, 1000):
            found: list[list[float]] = [[], [], []]
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                truth, ids = rng.normal(2.0, 1.2, count), np.array([f"{n:05}" for n in range(count)])
                tables = []
                for judge, (bias, scale, noise) in judges.items():
                    grade = np.clip(np.round(bias + scale * truth + rng.normal(0, noise, count)), 0, 5)
                    tables.append(pd.DataFrame({"id": ids, "judge": judge, "repeat": 0, "grade": grade}))
                answers = pd.concat(tables, ignore_index=True)
                labels = (
                    answers.groupby("id")["grade"].mean(),
                    dawid_skene(answers),
                    combine(answers, 0, 5).set_index("id")["label"],
                )
                for place, label in enumerate(labels):
                    found[place].append(float(spearmanr(label.loc[ids], truth).statistic))
            cells = [f"{np.mean(each):.3f} ± {np.std(each, ddof=1):.3f}" for each in found]
            print(f"| {name} | {count:,} | " + " | ".join(cells) + " |", flush=True)


def bought(
    of: Labelled, pool: NDArray[np.int64], test: NDArray[np.int64], way: DrawConfig, seed: int
) -> list[dict[str, float]]:
    """Return what models of rising numbers of labels reach on the rows `test`."""
    chosen, reached = np.zeros(0, np.int64), []
    rubric, texts = of.rubric, np.array(of.texts, dtype=object)
    scores = np.zeros(len(texts))
    for size in SIZES:
        left = pool[~np.isin(pool, chosen)]
        lengths = [len(text) for text in texts[left]]
        table = pd.DataFrame({"id": [f"{row:06}" for row in left], "row": left, "length": lengths})
        if len(chosen) and way.rare + way.unsure + way.new:
            table["score"] = scores[left]
            good = of.labels[chosen] >= rubric.threshold
            if good.any():
                # Scores of its own documents are too good: p_keep is too sure. That moves probabilities alone.
                fitted = Calibration.fit(
                    scores[chosen], of.labels[chosen], low=rubric.low, high=rubric.high, threshold=rubric.threshold
                )
                table["p_keep"] = fitted.apply(scores[left]).p_keep
            if way.new:
                table["distance"] = distance_from(list(texts[left]), list(texts[chosen]))
        drawn = draw_documents(table, replace(way, documents=size - len(chosen), seed=seed))
        chosen = np.concatenate([chosen, drawn["row"].to_numpy()])
        both = np.concatenate([test, pool])
        scores[both] = words_scores(of, chosen, both, seed)
        said = predictions(of, test, scores[test], test, scores[test])  # cut points are not measured here
        figures = measure(Outcomes.of(said, rubric), names=("spearman", "average_precision"))
        counts = {
            "good": float((of.labels[chosen] >= rubric.threshold).sum()),
            "best": float((of.labels[chosen] >= rubric.high - 1).sum()),
        }
        reached.append({**figures, **counts})
    return reached


def estimate(data: Path, output: Path, sets: list[str], ways: list[str], draws: int = 300) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name in sets:
        of = load(name, data, output)
        fold = assign_folds(of.labels, of.clusters, of.rubric.threshold, 5, 0)
        known, rest = np.flatnonzero(fold < 2), np.flatnonzero(fold >= 2)
        scores = words_scores(of, known, rest, 0)
        fitted = words_scores(of, known[: len(known) // 2], known[len(known) // 2 :], 0)
        whole = predictions(of, rest, scores, known[len(known) // 2 :], fitted)
        whole["length"] = [len(text) for text in of.rows(rest)]
        metrics = ("average_precision", "spearman", "recall", "mae")

        def figures(table: pd.DataFrame, of: Labelled = of, metrics: tuple[str, ...] = metrics) -> dict[str, float]:
            weight = corpus_weights(table)
            good = table["label"].to_numpy() >= of.rubric.threshold
            share = {"share of good documents": float(weight @ good / weight.sum())}
            return {**share, **measure(Outcomes.of(table, of.rubric), weight, metrics)}

        truth = figures(whole)
        print(f"\n{name}: {ESTIMATED} labels of {len(rest):,} documents, {draws} draws\n")
        print("| | " + " | ".join(f"{key} (of all: {value:.3f})" for key, value in truth.items()) + " |")
        print("|---" * (len(truth) + 1) + "|")
        for way in ways:
            # At random is without strata, too.
            given = whole[["id"]] if way == "at random" else whole
            drawn = [draw_documents(given, replace(WAYS[way], documents=ESTIMATED, seed=seed)) for seed in range(draws)]
            runs = [figures(whole.merge(each[["id", "inclusion"]], on="id")) for each in drawn]
            errors = {key: np.array([run[key] for run in runs]) - value for key, value in truth.items()}
            cells = [f"{np.sqrt(np.nanmean(e**2)):.3f} ({np.nanmean(e):+.3f})" for e in errors.values()]
            print(f"| {way} | " + " | ".join(cells) + " |", flush=True)


def needed(values: list[float], target: float) -> str:
    """Return the number of labels at which a curve reaches a value, by lines over log2 of the labels."""
    at = np.log2(SIZES)
    for number, value in enumerate(values):
        if value >= target:
            if not number:
                return f"at most {SIZES[0]}"
            share = (target - values[number - 1]) / (value - values[number - 1])
            return f"{2 ** (at[number - 1] + share * (at[number] - at[number - 1])):.0f}"
    return f"over {SIZES[-1]}"


def draw(data: Path, output: Path, sets: list[str], seeds: list[int], ways: list[str]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name in sets:
        of = load(name, data, output)
        found: dict[str, list[list[dict[str, float]]]] = {way: [] for way in ways}
        for seed in seeds:
            fold = assign_folds(of.labels, of.clusters, of.rubric.threshold, 5, seed)
            test, pool = np.flatnonzero(fold < 2), np.flatnonzero(fold >= 2)
            for way in ways:
                found[way].append(bought(of, pool, test, WAYS[way], seed))
                print(
                    f"{name}, seed {seed}, {way}: "
                    + ", ".join(f"{each['spearman']:.3f}/{each['average_precision']:.3f}" for each in found[way][-1]),
                    flush=True,
                )
        print(f"\n{name}: {len(of.texts):,} documents\n")
        print(
            "| | " + " | ".join(f"{size} labels" for size in SIZES) + f" | labels for what {SIZES[2]} at random reach |"
        )
        print("|---" * (len(SIZES) + 2) + "|")
        for metric, title in (
            ("spearman", "Spearman"),
            ("average_precision", "average precision"),
            ("good", "labels that reach the threshold"),
            ("best", "labels of the two best grades"),
        ):
            target = np.mean([run[2][metric] for run in found["at random"]])
            for way in ways:
                each = np.array([[step[metric] for step in run] for run in found[way]])
                means = each.mean(axis=0)
                form = ".0f" if metric in ("good", "best") else ".3f"
                spread = each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(len(SIZES))
                cells = [f"{m:{form}} ± {s:{form}}" for m, s in zip(means, spread, strict=True)]
                goal = needed(list(means), target) if form == ".3f" else ""
                print(f"| {title}, {way} | " + " | ".join(cells) + f" | {goal} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("repeats", "made", "draw", "estimate"):
        action = actions.add_parser(name)
        if name == "made":
            continue
        action.add_argument("--data", type=Path, required=True)
        if name != "repeats":
            action.add_argument("--output", type=Path, required=True)
            action.add_argument("--sets", nargs="+", default=["fineweb_edu", "fineweb_legal"])
            action.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])  # of `draw`
            action.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    options = parser.parse_args()
    if options.action == "repeats":
        repeats(options.data)
    elif options.action == "made":
        made()
    elif options.action == "estimate":
        estimate(options.data, options.output, options.sets, options.ways)
    else:
        draw(options.data, options.output, options.sets, options.seeds, options.ways)


if __name__ == "__main__":
    main()
