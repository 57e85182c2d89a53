"""Measure the statistical promises by simulation: what is stated, compared with what holds where the truth is known.

    python -m benchmarks.promises [--draws 200] [--only intervals …]

No model and no data are needed. Quality and score of a document are normal; a share `icc` of the variance of both is
common to its cluster, such as a site. A document is positive if its quality is among the best `prevalence`. The
defaults are sizes that users have: 1,000 labels, 5 to 30 % positive, clusters of 1 to 50 documents. Prints the table
of RESULTS.md.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from assay.audit import AuditPlan, Side, measure_audit, strata_of
from assay.errors import InputError
from assay.metrics import Outcomes, Resampled, cautious_difference
from assay.model import Calibration, KeepTarget, Profile, ThresholdCurve
from assay.monitoring import Arrivals, TooFewError, WatchConfig, compare
from assay.promotion.limits import PromotionLimits
from assay.promotion.rules import calibration as calibration_rule
from assay.promotion.spending import at_level
from assay.selection import estimate_share, shifted
from benchmarks.simulated import RUBRIC, Documents, FloatArray, Truth, draw, processor, resample, table

Row = tuple[str, str, str, str]
"""Promise, setting, nominal, realised."""


def cuts(draws: int) -> Iterator[Row]:
    """How often a promised precision or recall is broken, and how often it is refused."""
    for text, prevalence in (("precision=0.8", 0.3), ("recall=0.9", 0.3), ("recall=0.9", 0.08)):
        truth, target = Truth(prevalence), KeepTarget.parse(text)
        for size in (1, 20, 50):
            rng, broken, refused, shares = np.random.default_rng(0), 0, 0, []
            for _ in range(2 * draws):
                sample = draw(1_000, size, prevalence, rng)
                try:
                    cut = ThresholdCurve.of(sample.score, sample.positive, sample.cluster).choose(target)
                except InputError:
                    refused += 1
                    continue
                precision, recall = truth.at(cut.score)
                broken += (precision if target.aim == "precision" else recall) < (target.value or 0)
                shares.append(cut.share)
            setting = f"{prevalence:.0%} positive, clusters of {size}"
            kept = f", {np.mean(shares):.1%} kept" if shares else ""
            yield (
                f"`--keep {text}`",
                setting,
                "broken ≤ 5.0%",
                f"broken {broken / 2 / draws:.1%}, refused {refused / 2 / draws:.0%}{kept}",
            )


def folds(draws: int) -> Iterator[Row]:
    """How often a promise breaks whose cut comes from fold models, for a final model with another scale of scores."""
    truth = Truth(0.3)
    for spread in (1.0, 1.05, 1.1):
        rng, broken, refused = np.random.default_rng(1), 0, 0
        for _ in range(2 * draws):
            sample = draw(1_000, 1, 0.3, rng)
            held_out = (sample.score + 1) * spread - 1
            curve = ThresholdCurve.of(held_out, sample.positive, cross_fitted=True)
            try:
                broken += truth.at(curve.choose(KeepTarget.parse("recall=0.9")).score)[1] < 0.9
            except InputError:
                refused += 1
        yield (
            "`--folds 5 --keep recall=0.9`",
            f"fold models' scores spread {spread:g} times as much",
            "broken ≤ 5.0%",
            f"broken {broken / 2 / draws:.1%}, refused {refused / 2 / draws:.0%}",
        )


def intervals(draws: int) -> Iterator[Row]:
    """Coverage of the 95 % intervals of precision by the number of documents kept, and of average precision."""
    truth = Truth(0.3, 1.5)
    for kept, n, size in (
        (5, 1_000, 1),
        (20, 1_000, 1),
        (100, 1_000, 1),
        (20, 1_000, 5),
        (100, 1_000, 20),
        (300, 1_000, 20),
    ):
        cut = float(truth.score[-int(len(truth.score) * kept / n)])
        exact = truth.at(cut)[0]
        yield _coverage(
            "precision", exact, n, size, 0.3, cut, draws, f"{kept} of {n:,} documents kept, clusters of {size}"
        )
    for positives, n, size in ((8, 400, 1), (10, 200, 1), (20, 400, 1), (40, 800, 1), (40, 800, 5), (300, 1_000, 20)):
        prevalence = positives / n
        exact = Truth(prevalence, 1.5).average_precision()
        setting = f"{positives} of {n:,} documents positive, clusters of {size}"
        yield _coverage("average_precision", exact, n, size, prevalence, 9.0, draws, setting)


def _coverage(
    metric: str, exact: float, n: int, size: int, prevalence: float, cut: float, draws: int, setting: str
) -> Row:
    rng, held, none, widths = np.random.default_rng(2), 0, 0, []
    for turn in range(draws):
        sample = draw(n, size, prevalence, rng, noise=1.5)
        keep = sample.score >= cut
        predictions = table(sample, sample.score, expit(sample.score), keep)
        found = Resampled.of(predictions, RUBRIC, resamples=200, seed=turn, metrics=[metric]).intervals()[metric]
        if found.low is None or found.high is None:
            none += 1
            continue
        held += found.low <= exact <= found.high
        widths.append(found.high - found.low)
    given = draws - none
    realised = f"covers {held / given:.1%}, width {np.mean(widths):.2f}" if given else "–"
    return (
        f"interval of {metric.replace('_', ' ')}",
        setting,
        "covers 95%",
        f"{realised}; none given in {none / draws:.0%}",
    )


def decisions(draws: int) -> Iterator[Row]:
    """How often a challenger that is no better is called better."""
    for n, size in ((400, 1), (1_000, 10)):
        rng, better = np.random.default_rng(3), 0
        for turn in range(draws):
            sample = draw(n, size, 0.3, rng)
            models = []
            for _ in range(2):
                score = sample.score + 0.3 * rng.normal(size=n)
                predictions = table(sample, score, expit(score), score > 0.5)
                models.append(
                    Resampled.of(predictions, RUBRIC, resamples=300, seed=turn, metrics=["average_precision"])
                )
            low = cautious_difference(models[0], models[1], "average_precision").low
            better += low is not None and low > 0
        yield (
            "promotion of an equal challenger",
            f"{n:,} documents, clusters of {size}",
            "≤ 2.5%",
            f"{better / draws:.1%}",
        )


def wear(draws: int) -> Iterator[Row]:
    """In how many years one of 52 equal challengers passes, all on one test set."""
    n, challengers = 1_000, 52
    rng, passed = np.random.default_rng(6), {1: 0, challengers: 0}
    for turn in range(draws // 2):
        sample = draw(n, 1, 0.3, rng)
        champion, *others = (_model(sample, 0.3, rng, turn) for _ in range(1 + challengers))
        found = [cautious_difference(other, champion, "average_precision") for other in others]
        for planned in passed:
            ends = [at_level(one, n, planned).low for one in found]
            passed[planned] += any(end is not None and end > 0 for end in ends)
    for planned, years in passed.items():
        yield (
            f"{challengers} equal challengers in a year, one test set",
            f"{n:,} documents, decisions_a_year {planned}",
            "a wrong promotion in ≤ 2.5% of the years" if planned > 1 else "≤ 2.5% of the decisions",
            f"in {years / (draws // 2):.0%} of the years",
        )


def ratchet(draws: int) -> Iterator[Row]:
    """How far promotions of challengers that are "not worse" lead down, each of which is a little worse."""
    n, steps, limits = 1_000, 20, PromotionLimits(mode="not_worse", margin=0.05)
    for against in ("the champion alone", "the best earlier champion, too"):
        rng, promoted, fallen = np.random.default_rng(7), 0, []
        for turn in range(draws // 10):
            sample, astray = draw(n, 1, 0.3, rng), rng.normal(size=n)
            best = champion = _model(sample, 0.1, rng, turn)
            for step in range(1, steps + 1):
                # Nearly the same model again, a step further in one wrong direction.
                worse = replace(sample, score=sample.score + 0.05 * step * astray)
                challenger = _model(worse, 0.1, rng, turn)
                rivals = [champion, *([best] if "best" in against and best is not champion else [])]
                found = [cautious_difference(challenger, rival, "average_precision") for rival in rivals]
                ends = [at_level(one, n, limits.decisions_a_year).low for one in found]
                if all(end is not None and end > -limits.margin for end in ends):
                    champion, promoted = challenger, promoted + 1
                    best = max(best, champion, key=_average_precision)
            fallen.append(_average_precision(best) - _average_precision(champion))
        yield (
            f"{steps} challengers, each a little worse, `not_worse`",
            f"{n:,} documents, compared with {against}; margin {limits.margin:g}",
            f"at most {limits.margin:g} below the best",
            f"{promoted / (draws // 10):.1f} promoted, {np.mean(fallen):.3f} below the best at the end",
        )


def _model(sample: Documents, noise: float, rng: np.random.Generator, seed: int) -> Resampled:
    """Return the resampled test of a model that adds noise to the score."""
    score = sample.score + noise * rng.normal(size=len(sample.score))
    predictions = table(sample, score, expit(score), score > 0.5)
    return Resampled.of(predictions, RUBRIC, resamples=300, seed=seed, metrics=["average_precision"])


def _average_precision(model: Resampled) -> float:
    return model.intervals()["average_precision"].value or 0.0


def calibration(draws: int) -> Iterator[Row]:
    """How often the calibration rule passes models whose p_keep is right, constant, or wrong in one respect."""
    models: dict[str, Callable[[FloatArray], FloatArray]] = {
        "right": lambda logit: expit(logit),
        "constant .15": lambda logit: np.full(len(logit), 0.15),
        "with doubled odds": lambda logit: expit(logit + np.log(2)),
        "slope 2 (too extreme)": lambda logit: expit(2 * logit),
    }
    for n, prevalence, size in ((1_000, 0.05, 1), (1_000, 0.3, 1), (1_000, 0.3, 20)):
        known = draw(200_000, 1, prevalence, np.random.default_rng(4))
        fitted = Calibration.fit(known.score, known.positive.astype(float), low=0, high=1, threshold=1)
        for name, model in models.items():
            rng, passed = np.random.default_rng(5), 0
            for turn in range(draws // 2):
                sample = draw(n, size, prevalence, rng)
                p_keep = model(fitted.slope * sample.score - fitted.keep_offset)
                predictions = table(sample, sample.score, p_keep, p_keep > 0.5)
                metrics = Resampled.of(predictions, RUBRIC, metrics=["calibration_error", "brier"], resamples=2)
                rule = calibration_rule(
                    Outcomes.of(predictions, RUBRIC),
                    predictions["cluster"].to_numpy(),
                    metrics.intervals(),
                    PromotionLimits(),
                    seed=turn,
                )
                passed += rule.outcome == "kept"
            yield (
                "calibration rule",
                f"p_keep {name}; {n:,} documents, {prevalence:.0%} positive, clusters of {size}",
                "passes" if name == "right" else "refuses",
                f"passes {passed / (draws // 2):.1%}",
            )


def drift(draws: int) -> Iterator[Row]:
    """How often the watch alarms on traffic that comes site by site, of a population that does not change."""
    config = WatchConfig()
    for answered, size in ((500, 1), (500, 20), (500, 50), (5_000, 50)):
        rng, alarms, refused, worths = np.random.default_rng(6), 0, 0, []
        for _ in range(draws):
            profiles = []
            for n, of in ((1_000, 1), (answered, size)):
                score, length = draw(n, of, 0.3, rng, icc=0.6), draw(n, of, 0.3, rng, icc=0.6)
                tokens = np.exp(6 + length.score).astype(int) + 1
                answers = pd.DataFrame(
                    {
                        "score": 0.5 + 0.2 * score.score,
                        "tokens": tokens,
                        "read": np.minimum(1, 512 / tokens),
                        "keep": score.score > 0.5,
                        "language": "en",
                    }
                )
                profiles.append(Profile.of(RUBRIC, answers))
            arrivals = Arrivals()
            arrivals.add(answers)
            window = replace(profiles[1], worth=arrivals.worth(config.level))
            worths.append(window.independent)
            try:
                alarms += compare(profiles[0], window, config).alarm
            except TooFewError:
                refused += 1
        yield (
            "alarm of the watch, nothing changed",
            f"{answered:,} answers, {size} a site",
            "1 in 88,000 looks",
            f"{alarms} of {draws} looks; worth {np.median(worths):.0f}, {refused} refused",
        )


def mix(draws: int) -> Iterator[Row]:
    """What a promise of the labels' mix is worth on a corpus of another, and what the correction makes of it."""
    target = KeepTarget.parse("precision=0.8")
    other, rng = Truth(0.08), np.random.default_rng(7)
    found: dict[str, list[float]] = {"precision": [], "stated": [], "estimated": [], "corrected": []}
    for _ in range(draws):
        # Labels are richer than the corpus: positive documents are drawn more often, whatever else is the same.
        sample = resample(draw(6_000, 1, 0.08, rng), 0.3, 1_000, rng)
        label = sample.positive.astype(float)
        try:
            fitted = Calibration.fit(sample.score, label, low=0, high=1, threshold=1, keep=target)
        except InputError:  # a promise that this sample cannot give
            continue
        p_keep = fitted.apply(corpus := draw(5_000, 1, 0.08, rng).score).p_keep
        share = estimate_share(p_keep, np.ones(len(p_keep)), 0.3)
        above = corpus >= (np.inf if fitted.keep_cut is None else fitted.keep_cut)
        found["precision"].append(other.at(fitted.keep_cut)[0])
        found["stated"].append(float(p_keep.mean()))
        found["estimated"].append(share)
        found["corrected"].append(float(shifted(p_keep[above], 0.3, share).mean()))
    mean = {name: np.mean(values) for name, values in found.items()}
    setting = "30% of labels, 8% of the corpus positive"
    yield "`precision=0.8` on a corpus of another mix", setting, "≥ 0.80", f"{mean['precision']:.2f}"
    yield "mean p_keep on that corpus", setting, "0.080", f"{mean['stated']:.3f}"
    yield "its positive share by the correction", setting, "0.080", f"{mean['estimated']:.3f}"
    yield "its precision by the correction", setting, f"{mean['precision']:.2f}", f"{mean['corrected']:.2f}"


def audit(draws: int) -> Iterator[Row]:
    """Coverage of the intervals of an audit of 300 labels, and how often it finds a promise broken or kept."""
    truth = Truth(0.08)
    for cut, wanted in ((1.5, 0.8), (2.2, 0.8), (3.1, 0.8)):
        precision, recall = truth.at(cut)
        rng, held, widths, verdicts = np.random.default_rng(8), np.zeros(2), [], []
        for _ in range(draws):
            corpus = draw(20_000, 20, 0.08, rng)
            score, good, taken = np.round(corpus.score, 2), corpus.positive, corpus.score >= cut
            strata = []
            ids: dict[str, int] = {}
            labels: dict[str, float] = {}
            for selected in (True, False):
                values, where, count = np.unique(score[taken == selected], return_inverse=True, return_counts=True)
                likely = np.bincount(where, expit(2 * score[taken == selected] - 3))
                strata += strata_of(Side(values, count, likely), selected=selected, sample=150)
            for number, stratum in enumerate(strata):
                inside = np.flatnonzero((taken == stratum.selected) & (score >= stratum.low) & (score < stratum.high))
                for place in rng.choice(inside, stratum.sample, replace=False):
                    ids[str(place)], labels[str(place)] = number, float(good[place])
            plan = AuditPlan("", "", "", 1.0, f"precision={wanted}", 0, tuple(strata), ids)
            measured = measure_audit(plan, labels)
            exact = good[taken].mean(), good[taken].sum() / good.sum()
            for turn, (interval, value) in enumerate(zip((measured.precision, measured.recall), exact, strict=True)):
                held[turn] += (interval.low or 0) - 1e-9 <= value <= (interval.high or 0) + 1e-9
            widths.append((measured.recall.high or 0) - (measured.recall.low or 0))
            verdicts.append(measured.verdict)
        setting = f"300 labels, precision {precision:.2f} and recall {recall:.2f} of the corpus, 0.8 requested"
        counts = ", ".join(f"{name} {verdicts.count(name) / draws:.0%}" for name in ("kept", "open", "broken"))
        yield (
            "`assay audit`",
            setting,
            "covers 95%",
            f"precision {held[0] / draws:.1%}, recall {held[1] / draws:.1%} (width {np.mean(widths):.2f}); {counts}",
        )


SECTIONS: dict[str, Callable[[int], Iterator[Row]]] = {
    "cuts": cuts,
    "folds": folds,
    "intervals": intervals,
    "decisions": decisions,
    "wear": wear,
    "ratchet": ratchet,
    "calibration": calibration,
    "drift": drift,
    "mix": mix,
    "audit": audit,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100, help="simulated samples in a row of the table")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    options = parser.parse_args()
    started = time.monotonic()
    print(f"Processor: {processor()}. {options.draws} draws.\n")
    print("| promise | setting | stated | found |\n|---|---|---|---|")
    for name in options.only:
        for row in SECTIONS[name](options.draws):
            print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
