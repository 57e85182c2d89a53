"""The rules of the promotion gate that look at one model, each a word and a sentence with its figures."""

from collections.abc import Mapping

import numpy as np

from assay.metrics import BINS, LEAST_CLUSTERS, METRICS, Difference, Interval, Outcomes
from assay.promotion.evidence import GATES, Evidence
from assay.promotion.judgement import Outcome, Rule
from assay.promotion.limits import PromotionLimits

DRAWS = 400
"""Of labels that agree with p_keep, to see what calibration error chance alone makes."""


def enough_documents(evidence: Evidence) -> Rule:
    """Whether there are as many clusters as an interval needs."""
    table = evidence.predictions
    clusters = int(table["cluster"].nunique())
    positive = int((table["label"] >= evidence.rubric.threshold).sum())
    said = f"{len(table):,} documents in {clusters:,} clusters, {positive:,} with {evidence.rubric.keep_name}"
    if clusters < LEAST_CLUSTERS:
        return Rule("documents", "open", f"Too few to decide: {said}; at least {LEAST_CLUSTERS} clusters are needed.")
    return Rule("documents", "kept", f"Measured on {said}.")


def unseen_documents(evidence: Evidence) -> Rule:
    """Whether any document that measures it has fitted it."""
    if evidence.seen:
        return Rule(
            "unseen",
            "broken",
            f"{evidence.seen:,} of {len(evidence.predictions):,} documents that measure it have fitted it: its figures "
            "are no test.",
        )
    return Rule("unseen", "kept", "None of the documents that measure it has fitted it.")


def comparison(found: Difference, primary: str, limits: PromotionLimits) -> Rule:
    """Whether it is better than the champion, or not worse, as `limits.mode` asks.

    `found` is a `cautious_difference`: the rule looks at the lower end of the two-sided 95 % interval, so that it errs
    on this side in at most 2.5 % of the cases. Not worse: the interval lies above -margin (non-inferiority, as in ICH
    E9, 3.3.2).
    """
    title = METRICS[primary].title
    if found.value is None or found.low is None or found.high is None:
        figure = "is undefined" if found.value is None else f"differs by {found.value:+.3f}"
        return Rule(
            "comparison", "open", f"{title} {figure}, and these documents are too few for an interval: no decision."
        )
    said = f"{title} differs from the champion's by {found.value:+.3f}, 95 % interval {found.low:+.3f} to "
    said += f"{found.high:+.3f}"
    if limits.mode == "better":
        if found.low > 0:
            return Rule("comparison", "kept", f"It is better: {said}.")
        worse = "worse than the champion" if found.high < 0 else "not better beyond doubt"
        return Rule("comparison", "broken", f"It is {worse}: {said}; its lower end must lie above 0.")
    if found.low > -limits.margin:
        return Rule("comparison", "kept", f"It is not worse by more than {limits.margin:g}: {said}.")
    return Rule(
        "comparison",
        "broken",
        f"It may be worse by more than {limits.margin:g}: {said}; its lower end must lie above {-limits.margin:g}.",
    )


def ranking(metrics: Mapping[str, Interval]) -> Rule:
    """Whether the score says anything of the label, champion or not."""
    found = metrics["spearman"]
    if found.value is None or found.low is None or found.high is None:
        return Rule("ranking", "open", "Whether its score follows the label cannot be told from so few documents.")
    said = f"Spearman {found.value:.3f}, 95 % interval {found.low:.3f} to {found.high:.3f}"
    if found.low > 0:
        return Rule("ranking", "kept", f"Its score follows the label: {said}.")
    return Rule("ranking", "broken", f"Its score does not follow the label: {said}; its lower end must lie above 0.")


def calibration(outcomes: Outcomes, metrics: Mapping[str, Interval], limits: PromotionLimits, seed: int) -> Rule:
    """Whether p_keep means what it says, as far as so many documents can tell."""
    error, brier = metrics["calibration_error"].value or 0.0, metrics["brier"].value or 0.0
    chance = chance_calibration_error(outcomes, seed)
    allowed = max(limits.calibration_error, chance)
    said = (
        f"calibration error {error:.3f}, and {limits.calibration_error:g} is allowed (a perfectly calibrated model "
        f"shows up to {chance:.3f} by chance on these documents); Brier {brier:.3f}"
    )
    said += f", and {limits.brier:g} is allowed" if limits.brier is not None else ""
    bad = error > allowed or (limits.brier is not None and brier > limits.brier)
    return Rule(
        "calibration",
        "broken" if bad else "kept",
        f"{'Its p_keep does not mean what it says' if bad else 'Its p_keep means what it says'}: {said}.",
    )


def chance_calibration_error(outcomes: Outcomes, seed: int = 0) -> float:
    """What a perfectly calibrated model with these p_keep shows at most in 95 of 100 samples of as many documents.

    Labels are drawn from p_keep itself (consistency resampling, Bröcker and Smith 2007), independently: documents of
    one cluster make it larger than this.
    """
    generator, p_keep = np.random.default_rng(seed), outcomes.p_keep
    errors = []
    for _ in range(DRAWS):
        drawn = generator.random(len(p_keep)) < p_keep
        errors.append(np.abs(np.bincount(outcomes.bins, p_keep - drawn, minlength=BINS)).sum() / len(p_keep))
    return float(np.quantile(errors, 0.95))


def budget(name: str, what: str, measured: float | None, allowed: float | None, unit: str, fix: str) -> list[Rule]:
    """Nothing where there is no budget."""
    if allowed is None:
        return []
    if measured is None:
        return [Rule(name, "open", f"{what} is not known, and at most {allowed:,g} {unit} are allowed. {fix}")]
    held = measured <= allowed
    said = f"{what} is {measured:,.1f} {unit}, and at most {allowed:,g} are allowed."
    return [Rule(name, "kept" if held else "broken", said if held else f"{said} That is too much.")]


def budgets(evidence: Evidence, limits: PromotionLimits) -> list[Rule]:
    """Latency, size and age, as far as they are limited."""
    p95 = evidence.latency.p95_ms if evidence.latency else None
    return [
        *budget(
            "latency", "The 95th percentile of its latency", p95, limits.latency_ms, "ms", "Measure it on this machine."
        ),
        *budget("size", "The size of its folder", evidence.megabytes, limits.megabytes, "MB", "Measure it."),
        *budget(
            "age", "The age of its newest data", evidence.data_days, limits.data_days, "days", "Say when they end."
        ),
    ]


def golden_documents(evidence: Evidence) -> Rule:
    """Whether this machine repeats the scores that were recorded."""
    report = evidence.golden
    if report is None:
        return Rule("golden", "open", "Its golden documents were not scored again.")
    said = f"{report.documents} golden documents are off by {report.worst:.2g} labels at most; {report.tolerance:.2g} "
    said += "is allowed"
    if report.passed:
        return Rule("golden", "kept", f"It repeats its recorded scores: {said}.")
    return Rule("golden", "broken", f"It does not repeat its recorded scores: {said}.")


def gates(evidence: Evidence) -> list[Rule]:
    """What the gates of `run_gates` said of it; one that was not asked leaves it undecided."""
    outcomes: dict[bool | None, Outcome] = {True: "kept", False: "broken", None: "note"}
    asked = [Rule(found.name, outcomes[found.passed], f"Gate {found.sentence()}") for found in evidence.gates]
    missing = [name for name in GATES if name not in {found.name for found in evidence.gates}]
    return [*asked, *[Rule(name, "open", f"Gate {name} was not asked.") for name in missing]]


def wear(evidence: Evidence, limits: PromotionLimits) -> Rule:
    """Whether the test set has decided too often, or for too long."""
    if evidence.wear is None:
        return Rule("test set", "note", "How often its test set has decided is not known.")
    if complaint := evidence.wear.complaint(limits):
        return Rule("test set", "broken" if limits.worn_out == "refuse" else "note", complaint)
    return Rule(
        "test set",
        "kept",
        f"This is {evidence.wear.in_words()} of its test set; {limits.test_uses} uses in {limits.test_days:,.0f} days "
        "are allowed.",
    )
