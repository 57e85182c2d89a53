"""The promotion rules. Each returns its outcome and a sentence with its figures."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from assay.metrics import BINS, LEAST_CLUSTERS, METRICS, Difference, Interval, Outcomes, Probabilities
from assay.promotion.evidence import GATES, Evidence
from assay.promotion.judgement import Outcome, Rule
from assay.promotion.limits import PromotionLimits
from assay.promotion.spending import ALPHA, YEAR, at_level, detectable, reach, standard_error
from assay.proportions import effective_clusters

DRAWS = 400
"""Draws of labels that agree with p_keep, for the calibration error that chance alone makes."""


def enough_documents(evidence: Evidence) -> Rule:
    """Leave it undecided if there are fewer clusters than an interval needs."""
    table = evidence.predictions
    clusters = int(table["cluster"].nunique())
    positive = int((table["label"] >= evidence.rubric.threshold).sum())
    counted = f"{len(table):,} documents in {clusters:,} clusters, {positive:,} with {evidence.rubric.keep_name}"
    worth = effective_clusters(table["cluster"].to_numpy())
    if worth < LEAST_CLUSTERS - 1e-6:
        as_many = "" if round(worth) == clusters else f", worth {worth:.0f} of equal size"
        return Rule(
            "documents",
            "open",
            f"Too few to decide: {counted}{as_many}; at least {LEAST_CLUSTERS} clusters are needed.",
        )
    return Rule("documents", "kept", f"Measured on {counted}.")


def unseen_documents(evidence: Evidence) -> Rule:
    """Refuse the challenger if it was fitted to any document that it is measured on."""
    if evidence.seen:
        return Rule(
            "unseen",
            "broken",
            f"It was fitted to {evidence.seen:,} of the {len(evidence.predictions):,} documents that it is measured "
            "on: its figures are no test.",
        )
    return Rule("unseen", "kept", "It was fitted to none of the documents that it is measured on.")


def comparison(
    found: Difference, primary: str, limits: PromotionLimits, clusters: int, *, decisions: int = 1, than: str = ""
) -> Rule:
    """Refuse the challenger if it is not better than the champion, or may be worse, as `limits.mode` says.

    `found` is a `cautious_difference`. The rule reads its lower end at the level of one of `limits.decisions_a_year`
    decisions: see `assay.promotion.spending`. `not_worse`: it is above -margin (non-inferiority, ICH E9, 3.3.2).
    `decisions`: challenges of the last 365 days, this one included. `than`: the model that it is compared with.
    """
    title, whose, planned = METRICS[primary].title, f"{than or 'the champion'}'s", limits.decisions_a_year
    level = at_level(found, clusters, planned)
    if level.value is None or level.low is None or level.high is None:
        figure = "is undefined" if level.value is None else f"differs by {level.value:+.3f}"
        return Rule(
            "comparison", "open", f"{title} {figure}, and these documents are too few for an interval: no decision."
        )
    figures = (
        f"{title} differs from {whose} by {level.value:+.3f}, {100 * (1 - 2 * ALPHA / planned):.4g} % interval "
        f"{level.low:+.3f} to {level.high:+.3f}"
    )
    least = 0.0 if limits.mode == "better" else -limits.margin
    power = power_in_words(found, clusters, limits)
    if level.low <= least:
        must = f"{figures}; its lower end must be above {least:g}. {power}"
        if limits.mode == "not_worse":
            return Rule("comparison", "broken", f"It may be worse by more than {limits.margin:g}: {must}")
        worse = "worse than the champion" if level.high < 0 else "not significantly better"
        return Rule("comparison", "broken", f"It is {worse}: {must}")
    better = "better" if limits.mode == "better" else f"not worse by more than {limits.margin:g}"
    if decisions > planned:
        return Rule(
            "comparison",
            "open",
            f"It looks {better}: {figures}. But this is decision {decisions} of the last {YEAR} days, and {planned} "
            "were planned (decisions_a_year): the chance of a wrong promotion is spent.",
        )
    return Rule("comparison", "kept", f"It is {better}: {figures}. {power}")


def power_in_words(found: Difference, clusters: int, limits: PromotionLimits) -> str:
    """Return the gain that these documents would show, or how often they would pass an equal challenger."""
    gain, error = detectable(found, clusters, limits.decisions_a_year), standard_error(found, clusters)
    if gain is None or error is None:
        return ""
    if limits.mode == "better":
        return (
            f"These documents would show a gain of {gain:.2g} four times in five, at one of {limits.decisions_a_year} "
            "decisions a year."
        )
    passes = norm.cdf(limits.margin / error - reach(clusters, limits.decisions_a_year)) if error else 1.0
    return f"These documents would pass an equal challenger {100 * passes:.0f} times in 100."


def ranking(metrics: Mapping[str, Interval]) -> Rule:
    """Refuse the challenger if its score does not rise with the label, with or without a champion."""
    found = metrics["spearman"]
    if found.value is None or found.low is None or found.high is None:
        return Rule("ranking", "open", "These documents are too few to show if its score follows the label.")
    figures = f"Spearman {found.value:.3f}, 95 % interval {found.low:.3f} to {found.high:.3f}"
    if found.low > 0:
        return Rule("ranking", "kept", f"Its score follows the label: {figures}.")
    return Rule("ranking", "broken", f"Its score does not follow the label: {figures}; its lower end must be above 0.")


def calibration(
    outcomes: Outcomes,
    clusters: NDArray[np.int64],
    metrics: Mapping[str, Interval],
    limits: PromotionLimits,
    seed: int,
) -> Rule:
    """Refuse the challenger if its p_keep is no probability on documents like these.

    Refused are: an average error above the limit, as many positive documents as p_keep does not expect, log odds that
    are too flat or too steep, a p_keep that does not tell documents apart or is worse than the constant share of
    positive documents. The limit of the error is not below what chance makes on as few documents; the other figures
    refuse if their whole 95 % interval is beyond the limit. So a good model is not refused for few documents.
    """
    error, brier = metrics["calibration_error"].value or 0.0, metrics["brier"].value or 0.0
    chance, found = chance_calibration_error(outcomes, seed), Probabilities.of(outcomes, clusters)
    ratio, odds, slope = limits.calibration_ratio, limits.calibration_odds, limits.calibration_slope
    faults = {
        f"its average error is {error:.3f}": error > max(limits.calibration_error, chance),
        # Brier has no allowance for chance: its limit is absolute, and no limit is the default.
        f"its Brier score is {brier:.3f}": limits.brier is not None and brier > limits.brier,
        f"the positive documents are {found.ratio.in_words()} times those expected": beyond(found.ratio, ratio),
        f"the odds of the labels are exp({found.intercept.in_words()}) times its own": beyond(found.odds, odds),
        f"the slope of its log odds is {found.slope.in_words()}": beyond(found.slope, slope),
        f"its Brier skill is {found.skill.in_words()}: the constant share of positive documents is the better guess": (
            found.skill.high is not None and found.skill.high < 0
        ),
        "it is the same for all documents": not found.varies,
    }
    bad = [fault for fault, holds in faults.items() if holds]
    figures = (
        f"calibration error {error:.3f}, and {limits.calibration_error:g} is allowed (a perfectly calibrated model "
        f"shows up to {chance:.3f} by chance on these documents); {found.in_words()}, and 1/{ratio:g} to {ratio:g} is "
        f"allowed of observed over expected, 1/{odds:g} to {odds:g} of exp(intercept), 1/{slope:g} to {slope:g} of the "
        f"slope; Brier {brier:.3f}"
    )
    figures += f", and {limits.brier:g} is allowed" if limits.brier is not None else ""
    share = f"where {outcomes.positive.mean():.1%} of the documents are positive, as here"
    if bad:
        return Rule("calibration", "broken", f"Its p_keep is not calibrated: {'; '.join(bad)}. Measured: {figures}.")
    return Rule("calibration", "kept", f"Its p_keep is calibrated, {share}: {figures}.")


def beyond(found: Interval, factor: float) -> bool:
    """Return True if a whole interval is outside 1/factor to factor."""
    return found.low is not None and found.high is not None and (found.high < 1 / factor or found.low > factor)


def chance_calibration_error(outcomes: Outcomes, seed: int = 0) -> float:
    """Return the calibration error that a perfectly calibrated model with these p_keep exceeds in 5 of 100 samples.

    Labels are drawn from p_keep itself (consistency resampling, Bröcker and Smith 2007). They are drawn independently:
    documents in clusters make the true figure larger.
    """
    generator, p_keep = np.random.default_rng(seed), outcomes.p_keep
    errors = []
    for _ in range(DRAWS):
        drawn = generator.random(len(p_keep)) < p_keep
        # The sum over bins of their share times |mean p_keep - share of positive labels|, which is the measured error.
        errors.append(np.abs(np.bincount(outcomes.bins, p_keep - drawn, minlength=BINS)).sum() / len(p_keep))
    return float(np.quantile(errors, 0.95))


def budget(name: str, what: str, measured: float | None, allowed: float | None, unit: str, fix: str) -> list[Rule]:
    """Return the rule of a budget, or no rule if there is no budget."""
    if allowed is None:
        return []
    if measured is None:
        return [Rule(name, "open", f"{what} is unknown, and at most {allowed:,g} {unit} are allowed. {fix}")]
    held = measured <= allowed
    sentence = f"{what} is {measured:,.1f} {unit}, and at most {allowed:,g} are allowed."
    return [Rule(name, "kept" if held else "broken", sentence if held else f"{sentence} That is too much.")]


def budgets(evidence: Evidence, limits: PromotionLimits) -> list[Rule]:
    """Return the rules of latency, size and age, as far as they are limited."""
    p95 = evidence.latency.p95_ms if evidence.latency else None
    return [
        *budget(
            "latency", "The 95th percentile of its latency", p95, limits.latency_ms, "ms", "Measure it on this machine."
        ),
        *budget("size", "The size of its folder", evidence.megabytes, limits.megabytes, "MB", "Measure it."),
        *budget(
            "age", "The age of its newest data", evidence.data_days, limits.data_days, "days", "Give the day they end."
        ),
    ]


def golden_documents(evidence: Evidence) -> Rule:
    """Refuse the challenger if this machine does not repeat the scores that were recorded with it."""
    report = evidence.golden
    if report is None:
        return Rule("golden", "open", "Its golden documents were not scored again.")
    figures = f"the scores of {report.documents} golden documents are off by at most {report.worst:.2g} labels, and "
    figures += f"{report.tolerance:.2g} is allowed"
    if report.passed:
        return Rule("golden", "kept", f"It repeats its recorded scores: {figures}.")
    return Rule("golden", "broken", f"It does not repeat its recorded scores: {figures}.")


def gates(evidence: Evidence) -> list[Rule]:
    """Return one rule a gate. A gate that was not run leaves the challenger undecided."""
    outcomes: dict[bool | None, Outcome] = {True: "kept", False: "broken", None: "note"}
    run = [Rule(found.name, outcomes[found.passed], f"Gate {found.sentence()}") for found in evidence.gates]
    missing = [name for name in GATES if name not in {found.name for found in evidence.gates}]
    return [*run, *[Rule(name, "open", f"Gate {name} was not run.") for name in missing]]


def wear(evidence: Evidence, limits: PromotionLimits) -> Rule:
    """Note or refuse, as `limits.worn_out` says, if the test set has served too often or too long."""
    if evidence.wear is None:
        return Rule("test set", "note", "The number of times that its test set has served is unknown.")
    if complaint := evidence.wear.complaint(limits):
        return Rule("test set", "broken" if limits.worn_out == "refuse" else "note", complaint)
    return Rule(
        "test set",
        "kept",
        f"This is {evidence.wear.in_words()} of its test set; {limits.test_uses} uses in {limits.test_days:,.0f} days "
        "are allowed.",
    )
