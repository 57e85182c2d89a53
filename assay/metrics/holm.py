"""Many comparisons at once: Holm's correction, so that the luckiest of ten metrics is not called a gain."""

from collections.abc import Mapping
from dataclasses import replace

from assay.metrics.bootstrap import Difference

ALPHA = 0.05
"""Chance, at most, of calling any of the metrics beside the primary one different where none is."""


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """p-values corrected for how many there are (Holm 1979): whatever their dependence, the chance that any true null
    hypothesis has one below ALPHA is at most ALPHA. The i-th smallest of m counts m - i + 1 times, and never less than
    the one before it.
    """
    order = sorted(values, key=lambda name: values[name])
    corrected, least = {}, 0.0
    for place, name in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * values[name]))
        corrected[name] = least
    return {name: corrected[name] for name in values}


def correct(differences: Mapping[str, Difference], primary: str) -> dict[str, Difference]:
    """The differences of one comparison with `p_holm`: of the primary metric p as it is, since it was named beforehand;
    of the others p corrected over all of them together. Several baselines are comparisons of their own.
    """
    others = {name: d.p for name, d in differences.items() if name != primary and d.p is not None}
    corrected = holm(others)
    return {name: replace(d, p_holm=corrected.get(name, d.p)) for name, d in differences.items()}


def told_apart(difference: Difference) -> str:
    """`better` or `worse` where p, corrected, says so; otherwise `not told apart`, also where there is no p."""
    p, value = difference.p_holm, difference.value
    if p is None or value is None or value == 0 or p >= ALPHA:
        return "not told apart"
    return "better" if value > 0 else "worse"
