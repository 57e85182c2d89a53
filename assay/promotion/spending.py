"""The chance of a wrong promotion, spent over the decisions of a year, and what a test set can see at that level.

A challenger that is no better passes one decision at 2.5 % in at most 2.5 % of the cases, and one of 52 such
challengers passes in a quarter of the years (equal challengers, compared on one test set). So the 2.5 % are those of a
year: each of the planned decisions gets an equal share (Bonferroni; Dunn 1961, "Multiple comparisons among means",
JASA 56). The bound needs no assumption on how challengers depend on each other or on earlier results of the year, as
long as a result changes no later level. Decisions beyond the plan have no share left.
"""

from dataclasses import replace
from functools import cache

from scipy.stats import norm
from scipy.stats import t as student

from assay.metrics import Difference

ALPHA = 0.025
"""Probability that any challenger that is no better passes as better, in a year."""
YEAR = 365
POWER = 0.8
"""Share of the cases in which a gain of `detectable` would pass."""
Z = float(norm.ppf(POWER))


@cache
def reach(clusters: int, planned: int) -> float:
    """Return Student's t of one of `planned` decisions a year, one-sided, for a number of clusters."""
    return float(student.ppf(1 - ALPHA / planned, max(clusters - 1, 1)))


def at_level(found: Difference, clusters: int, planned: int) -> Difference:
    """Return a difference whose 95 % interval is widened to the level of one of `planned` decisions a year.

    Each half of the interval is scaled by the quotient of two quantiles of Student's t. Quantiles of a bootstrap so far
    out would need over a hundred thousand resamples.
    """
    if found.value is None or found.low is None or found.high is None:
        return found
    factor = reach(clusters, planned) / reach(clusters, 1)
    return replace(
        found,
        low=found.value - factor * (found.value - found.low),
        high=found.value + factor * (found.high - found.value),
    )


def detectable(found: Difference, clusters: int, planned: int) -> float | None:
    """Return the gain that would pass as better in four of five cases: (t + z) standard errors.

    `found`: a `cautious_difference` with its 95 % interval, which gives the standard error. None without an interval.
    Formula: for the power of a test of a mean, as in Cohen, "Statistical Power Analysis" (1988), chapter 2.
    """
    if (error := standard_error(found, clusters)) is None:
        return None
    return (reach(clusters, planned) + Z) * error


def standard_error(found: Difference, clusters: int) -> float | None:
    """Return the standard error of a difference, from its 95 % interval."""
    if found.low is None or found.high is None:
        return None
    return (found.high - found.low) / 2 / reach(clusters, 1)
