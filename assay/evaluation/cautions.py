"""The warnings of an evaluation: what a careful reader of the figures must know."""

import pandas as pd

from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.record import Evaluation
from assay.metrics import FEW_POSITIVE, INCLUSION, METRICS, corpus_weights, refusals, significance
from assay.proportions import effective_clusters

WIDE = 0.1
"""Width of the interval of F1 above which there is a warning."""
MOST_READ = 0.95
"""Share of the tokens below which there is a warning that the model did not read the documents whole."""


def cautions(evaluation: Evaluation, predictions: pd.DataFrame) -> list[str]:
    """Return the warnings as sentences, the most important first. `predictions`: the table that was measured."""
    found = [*_precision(evaluation, predictions), *_baselines(evaluation), *_silent(evaluation)]
    if INCLUSION in predictions:
        worth = effective_clusters(predictions["cluster"].to_numpy(), corpus_weights(predictions))
        found.append(
            "The documents were drawn with the probabilities in the column inclusion. Metrics, gains, slices and pairs "
            "count each document by 1 / inclusion and hold for the corpus that it was drawn from. The documents are "
            f"worth {worth:.0f} drawn at random. Curves, probabilities and gates are those of the labelled documents."
        )
    if evaluation.read < MOST_READ:
        found.append(
            f"The model read {evaluation.read:.0%} of the test documents' tokens; the raters may have read more. A "
            "larger number of windows reads more."
        )
    undefined = [METRICS[name].title for name, interval in evaluation.metrics.items() if interval.value is None]
    if undefined:
        found.append(f"Undefined on this test part: {', '.join(undefined)}.")
    return found


def _precision(evaluation: Evaluation, predictions: pd.DataFrame) -> list[str]:
    """Return sentences on how precise the figures are."""
    refused = refusals(predictions, evaluation.rubric)
    without = [
        f"No interval for {', '.join(METRICS[name].title for name in names)}: {reason}."
        for reason in dict.fromkeys(refused.values())
        if len(names := [name for name in METRICS if refused.get(name) == reason])
    ]
    if len(refused) == len(METRICS):
        return [
            f"{evaluation.documents} test documents are too few for intervals: {next(iter(refused.values()))} "
            f"({evaluation.clusters} clusters; those of one size count whole)."
        ]
    return [*without, *_few_positive(evaluation, predictions, refused), *_width(evaluation)]


def _few_positive(evaluation: Evaluation, predictions: pd.DataFrame, refused: dict[str, str]) -> list[str]:
    """Return a sentence if the interval of average precision covers less than it states."""
    positive = predictions["label"] >= evaluation.rubric.threshold
    count = effective_clusters(predictions.loc[positive, "cluster"].to_numpy())
    if "average_precision" in refused or count >= FEW_POSITIVE:
        return []
    return [
        f"The interval of average precision covers about 90 % instead of 95 %: it rests on {evaluation.positive} "
        f"documents that reach the threshold, in {count:.0f} effective clusters; from {FEW_POSITIVE} on about 93 %."
    ]


def _width(evaluation: Evaluation) -> list[str]:
    """Return at most one sentence on the interval of F1."""
    shown = evaluation.metrics["f1"]
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


def _silent(evaluation: Evaluation) -> list[str]:
    """Return a sentence on the kinds of documents within which the score is not shown to say anything."""
    silent = [
        f"{part.column} {part.value} ({part.documents} documents, {part.metrics['spearman'].in_words()})"
        for part in evaluation.slices
        if part.metrics and part.metrics["spearman"].low is not None and part.metrics["spearman"].low <= 0
    ]
    if not silent:
        return []
    return [
        "Within these kinds of documents the score is not shown to say anything, since the interval of Spearman "
        f"reaches 0: {', '.join(silent)}. Label more of them, or do not choose among them by it."
    ]
