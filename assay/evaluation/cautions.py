"""The warnings of an evaluation: what a careful reader of the figures must know."""

from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.record import Evaluation
from assay.metrics import LEAST_CLUSTERS, LEAST_POSITIVE, METRICS, significance

WIDE = 0.1
"""Width of the interval of F1 above which there is a warning."""
MOST_READ = 0.95
"""Share of the tokens below which there is a warning that the model did not read the documents whole."""


def cautions(evaluation: Evaluation) -> list[str]:
    """Return the warnings as sentences, the most important first."""
    found = [*_precision(evaluation), *_baselines(evaluation)]
    if evaluation.read < MOST_READ:
        found.append(
            f"The model read {evaluation.read:.0%} of the test documents' tokens; the raters may have read more. A "
            "larger number of windows reads more."
        )
    undefined = [METRICS[name].title for name, interval in evaluation.metrics.items() if interval.value is None]
    if undefined:
        found.append(f"Undefined on this test part: {', '.join(undefined)}.")
    return found


def _precision(evaluation: Evaluation) -> list[str]:
    """Return at most one sentence on how precise the figures are."""
    shown = evaluation.metrics["f1"]
    if evaluation.clusters < LEAST_CLUSTERS:
        return [
            f"{evaluation.documents} test documents in {evaluation.clusters} clusters are too few for intervals: "
            f"at least {LEAST_CLUSTERS} clusters are needed."
        ]
    if evaluation.positive < LEAST_POSITIVE:
        return [
            f"Only {evaluation.positive} of {evaluation.documents} test documents reach the threshold: "
            "the figures of the kept class have no interval."
        ]
    if shown.value is None or shown.low is None or shown.high is None:
        return []
    if shown.high - shown.low > WIDE:
        kept = f"{evaluation.positive} with {evaluation.rubric.keep_name}"
        return [
            f"With {evaluation.documents} test documents ({kept}) the intervals are wide: "
            f"the F1 of {shown.value:.2f} may be anything from {shown.low:.2f} to {shown.high:.2f}."
        ]
    if shown.value == shown.low == 1:
        # Exact one-sided bound for no error among n; the rule of three (Hanley and Lippman-Hand 1983) approximates it.
        bound = 1 - 0.05 ** (1 / evaluation.clusters)
        return [
            "Every test document was kept or dropped rightly, so the interval of F1 has no width. With "
            f"{evaluation.clusters} clusters the error rate on new documents may still be up to {bound:.1%}."
        ]
    return []


def _baselines(evaluation: Evaluation) -> list[str]:
    """Return a sentence for each baseline that the model does not beat, and for metrics in which it is worse."""
    primary, found = evaluation.rubric.primary_metric, []
    for baseline, gains in evaluation.gains.items():
        gain, name = gains[primary], BASELINE_NAMES.get(baseline, baseline)
        word = significance(gain)
        # Without an interval there is already a warning that the documents are too few.
        if gain.low is None or gain.high is None or word == "better":
            continue
        verdict = "worse than" if word == "worse" else "not significantly better than"
        found.append(
            f"The model is {verdict} {name}: {METRICS[primary].title} differs by {gain.value:+.3f}, "
            f"95 % interval {gain.low:+.3f} to {gain.high:+.3f}, p = {gain.p:.3f}."
        )
        worse = [METRICS[other].title for other, d in gains.items() if other != primary and significance(d) == "worse"]
        if worse:
            found.append(f"After Holm's correction it is worse than {name} in: {', '.join(worse)}.")
    return found
