"""The leak gate: did test documents fit the model, and are its figures those of a leak?"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from assay.errors import InputError
from assay.gates.split_comparison import COMPARED, SplitComparison
from assay.gates.straddling import Straddling
from assay.gates.verdict import Verdict, decide
from assay.labels import REASONS, Unseen
from assay.metrics import INCLUSION, METRICS, Difference, paired_bootstrap
from assay.rubric import Rubric
from assay.storage import only_known_fields

NAME = "leak"
WHERE = "limits of the leak gate"
MOST_IDS = 20
"""Largest number of ids in the figures of a verdict."""


@only_known_fields
@dataclass(frozen=True)
class LeakLimits:
    """The limits from which a figure counts as the result of a leak. A lead counts by its whole 95 % interval."""

    leaked: float = 0.0
    """Largest allowed share of test documents whose text, exactly or nearly, is in the parts that fitted the model."""
    # Below this a good model and a leaked one have the same figures.
    matters: float = 0.05
    """Smallest gain of a random split for the cheap model, in F1, QWK or Spearman, at which a model is suspected."""
    # A model that has memorised the test documents gains all that the random split adds, except for chance. A model may
    # also be that good: then a person raises this limit.
    explained: float = 0.5
    """Largest allowed lead over the cheap model on the grouped split, as a share of what the random split adds."""

    def __post_init__(self) -> None:
        if not 0 <= self.leaked <= 1:
            raise InputError(f"leaked is {self.leaked:g}", where=WHERE, fix="Give 0 to 1")
        for name in ("matters", "explained"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name):g}", where=WHERE, fix="Give a number above 0")


def leak_verdict(
    straddling: Straddling,
    comparison: SplitComparison | None,
    predictions: pd.DataFrame | None = None,
    rubric: Rubric | None = None,
    limits: LeakLimits = LeakLimits(),
) -> Verdict:
    """Refuse a model if test documents fitted it, or if its figures are those of a leak.

    `predictions`: Predictions of the model on the documents of the comparison's grouped test part. Without a
    comparison, or without intervals in it, only the first rule applies.
    """
    figures: dict[str, Any] = {
        "test documents": straddling.test,
        "whose text fitted the model": len(straddling.exact),
        "or a near-duplicate": len(straddling.near),
        "ids of these": straddling.near[:MOST_IDS],
    }
    refusals = []
    if straddling.share > limits.leaked:
        refusals.append(
            f"{len(straddling.near)} of {straddling.test} test documents ({straddling.share:.1%}) are also, exactly or "
            f"nearly, among the documents that fitted the model; at most {limits.leaked:.1%} is allowed."
        )
    if comparison is not None:
        gains = {}
        if predictions is not None and rubric is not None:
            # Clusters and labels are those of the model's own predictions: a paired comparison needs equal ones.
            own = ["id", "cluster", "label", *([INCLUSION] if INCLUSION in predictions else [])]
            cheap = comparison.cheap.drop(columns=["cluster", "label"]).merge(
                predictions[own], on="id", validate="one_to_one"
            )
            gains = paired_bootstrap(predictions, cheap, rubric)
        figures |= {"random split": f"{comparison.random_seen:.1%} of its test rows in training"}
        figures["splits"] = [_row(comparison, gains, name) for name in COMPARED]
        refusals += [sentence for name in COMPARED if (sentence := _suspicion(comparison, gains, name, limits))]
    return decide(NAME, refusals, figures)


def leak_elsewhere(unseen: Unseen, model: int = 0) -> Verdict:
    """Return the verdict on a finished model and documents of another source, from which what it has seen is left out.

    `model`: its place among the models of `unseen`. No verdict if an earlier release trained it: then near-duplicates
    and groups of what it learned from may be among the documents.
    """
    figures: dict[str, Any] = {"documents given": len(unseen.part) + unseen.left_out, "measured on": len(unseen.part)}
    figures |= {f"left out: {REASONS[key]}": count for key, count in unseen.reasons.items() if count}
    unmarked = unseen.unmarked[model]
    too_little = (
        f"It was trained by an earlier release: of {unmarked:,} documents that it was fitted to, only the same bytes "
        "are recognised in these, and no near-duplicate or group. Train it again for a verdict."
    )
    return decide(NAME, [], figures, too_little=too_little if unmarked else "")


def _suspicion(comparison: SplitComparison, gains: dict[str, Difference], name: str, limits: LeakLimits) -> str:
    """Return a sentence if the model's lead in a metric is like that of a leak; otherwise an empty string."""
    added, gain = comparison.difference[name], gains.get(name)
    if gain is None or gain.low is None or added.value is None or added.low is None:
        return ""
    if added.low <= 0 or added.value < limits.matters or gain.low <= limits.explained * added.value:
        return ""
    return (
        f"The model is {gain.value:+.3f} ahead of the cheap model in {METRICS[name].title} on the grouped split, and a "
        f"leak adds {added.value:+.3f} to the cheap model: it may have been trained on the test documents."
    )


def _row(comparison: SplitComparison, gains: dict[str, Difference], name: str) -> dict[str, Any]:
    added, gain = comparison.difference[name], gains.get(name)
    return {
        "": METRICS[name].title,
        "random": comparison.random[name].value,
        "grouped": comparison.grouped[name].value,
        "random adds": added.value,
        "low": added.low,
        "high": added.high,
        "the model is ahead by": None if gain is None else gain.value,
    }
