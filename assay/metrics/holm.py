"""Holm's correction for many metrics: with ten metrics, one of them often looks better by chance."""

from collections.abc import Mapping
from dataclasses import replace

from assay.metrics.bootstrap import Difference

ALPHA = 0.05
"""Largest probability of calling any metric except the primary one different if the models are equal in all."""


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """Return the p-values with Holm's correction for their number (Holm 1979).

    The i-th smallest of m is multiplied by m - i + 1, and is never less than the one before it. Whatever the dependence
    of the tests, the probability that any true null hypothesis gets a p below ALPHA is at most ALPHA.
    """
    order = sorted(values, key=lambda name: values[name])
    corrected, least = {}, 0.0
    for place, name in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * values[name]))
        corrected[name] = least
    return {name: corrected[name] for name in values}


def correct(differences: Mapping[str, Difference], primary: str) -> dict[str, Difference]:
    """Return the differences of one comparison with `p_holm`.

    The other metrics are corrected together. Each baseline is a comparison of its own.
    """
    # The primary metric keeps its p: the rubric names it before any figure is known.
    others = {name: d.p for name, d in differences.items() if name != primary and d.p is not None}
    corrected = holm(others)
    return {name: replace(d, p_holm=corrected.get(name, d.p)) for name, d in differences.items()}


def significance(difference: Difference) -> str:
    """Return `better` or `worse` if the corrected p is below ALPHA.

    Otherwise, or without a p, return `not significantly different`.
    """
    p, value = difference.p_holm, difference.value
    if p is None or value is None or value == 0 or p >= ALPHA:
        return "not significantly different"
    return "better" if value > 0 else "worse"
