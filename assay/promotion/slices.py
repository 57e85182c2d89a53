"""The rule of the slices: a challenger must not be worse than the champion in one kind of documents among many."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from assay.evaluation import SliceDifference
from assay.metrics import LEAST_CLUSTERS, METRICS, Resampled, cautious_difference
from assay.promotion.judgement import Rule
from assay.promotion.limits import PromotionLimits
from assay.proportions import effective_clusters
from assay.rubric import Rubric

ALPHA = 0.05
"""Error probability over all slices together, half of it on either side."""
LEAST_RESAMPLES, MOST_RESAMPLES = 1_000, 10_000
IN_THE_TAIL = 10
"""Resamples that should be beyond either end of an interval: with fewer, the end itself is too uncertain."""


def _is_large(part: pd.DataFrame) -> bool:
    return effective_clusters(part["cluster"].to_numpy()) >= LEAST_CLUSTERS - 1e-6


def compare_slices(
    challenger: pd.DataFrame,
    champion: pd.DataFrame,
    columns: Mapping[str, str],
    rubric: Rubric,
    *,
    least: int,
    seed: int = 0,
) -> list[SliceDifference]:
    """Return the difference in the primary metric for each value of each column of two Predictions tables.

    Only slices with at least `least` documents and 50 clusters are measured. With m of them, each interval has the
    level 1 - 0.05 / m (Bonferroni). Then the probability that any interval is wholly below a loss that no slice has is
    at most 2.5 %, however the slices overlap. With 95 % for each, it would be up to 26 % for twelve slices. Holm's
    correction would name further slices after the worst one, and finds one exactly if Bonferroni's does. The price: a
    slice must be worse by more, or have more documents, to be found.
    """
    parts = [
        (SliceDifference(title, str(value), len(part), int((part["label"] >= rubric.threshold).sum())), part)
        for column, title in columns.items()
        # `observed`: categories without a document would be slices too.
        for value, part in challenger.groupby(column, sort=False, observed=True)
    ]
    large = [(found, part) for found, part in parts if len(part) >= least]
    # Keyed by identity: a SliceDifference holds a dict and has no hash.
    measured = {id(found): part for found, part in large if _is_large(part)}
    if not measured:
        return [found for found, _ in parts]
    level = 1 - ALPHA / len(measured)
    # A level near 1 needs the far ends of the distribution, and so more resamples than one 95 % interval.
    resamples = min(max(round(2 * IN_THE_TAIL / (1 - level)), LEAST_RESAMPLES), MOST_RESAMPLES)
    by_id, primary = champion.set_index("id", drop=False), rubric.primary_metric
    whole = []
    for found, _ in parts:
        part = measured.get(id(found))
        if part is not None:
            # The champion's rows in the order of the challenger's: the comparison is paired.
            same = by_id.loc[part["id"]].reset_index(drop=True)
            one, other = (
                Resampled.of(table, rubric, resamples=resamples, seed=seed, metrics=[primary]) for table in (part, same)
            )
            found = replace(found, differences={primary: cautious_difference(one, other, primary, level)})
        whole.append(found)
    return whole


def slice_rule(slices: Sequence[SliceDifference], primary: str, limits: PromotionLimits) -> Rule:
    """Refuse the challenger if a slice's interval is wholly below -margin. Slices that are too small decide nothing."""
    differences = [(part, part.differences[primary]) for part in slices if part.differences]
    known = [(part, found) for part, found in differences if found.low is not None and found.high is not None]
    small = len(slices) - len(known)
    left_out = f" {small} are too small to be compared." if small else ""
    if not known:
        return Rule("slices", "note", f"None of {len(slices)} slices is large enough to be compared.")
    # The level of `compare_slices`, in which a slice without a figure counts too.
    level = f"{100 * (1 - ALPHA / len(differences)):.1f} %"
    worse = [(part, found) for part, found in known if found.high is not None and found.high < -limits.slice_margin]
    if worse:
        places = "; ".join(
            f"{part.column} {part.value}: {found.value:+.3f}, {level} interval {found.low:+.3f} to {found.high:+.3f}, "
            f"{part.documents} documents"
            for part, found in worse
        )
        return Rule(
            "slices",
            "broken",
            f"It is worse than the champion by more than {limits.slice_margin:g} in {METRICS[primary].title} in: "
            f"{places}.",
        )
    part, found = min(known, key=lambda of: of[1].value or 0.0)
    return Rule(
        "slices",
        "kept",
        f"In none of {len(known)} slices is it significantly worse by more than {limits.slice_margin:g} in "
        f"{METRICS[primary].title}; the lowest is {part.column} {part.value}: {found.value:+.3f}, {level} interval "
        f"{found.low:+.3f} to {found.high:+.3f}.{left_out}",
    )
