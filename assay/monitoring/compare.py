"""Compare a window with the reference: have the documents, or the scores, changed?

Estimand: the difference between the population of the window and that of the reference, in the distributions of score
and length and in the shares of languages, of truncated and of kept documents. Population: the documents that get a
score. Sample: the documents of the window (for a service, a random sample of its answers). Documents that come in runs
of one kind, such as site by site, are not independent: every test counts them as the independent documents that they
are worth (`dependence.py`), and a window of too few runs is refused.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.model import Profile
from assay.monitoring.config import WatchConfig
from assay.monitoring.statistics import (
    PSI_CELLS,
    IntArray,
    deflated,
    g_statistic,
    ks_distance,
    ks_p,
    ks_seen_from,
    merge_cells,
    psi,
    psi_of_chance,
    share_p,
    shuffled_p,
    total_variation,
)

LEAST_OF_A_LANGUAGE = 5
"""Documents of a language in both samples together; rarer languages are counted as one."""


@dataclass(frozen=True)
class Statistic:
    """One statistic of the comparison."""

    name: str
    """One of STATISTICS."""
    value: float
    """An index, a distance, or the share of the window less that of the reference."""
    by_chance: float
    """Average value in samples of these sizes without any change, which is subtracted; 0 if nothing is subtracted."""
    limit: float
    """Smallest absolute value, after the subtraction of `by_chance`, that matters."""
    p: float
    """Probability, or an upper bound of it, of a value at least this large without any change."""
    level: float
    """Largest p that is beyond chance."""

    @property
    def beyond_chance(self) -> bool:
        """True if p is at most the level."""
        return self.p <= self.level

    @property
    def alarm(self) -> bool:
        """True if the value is beyond chance and large enough to matter. In large samples the first alone is common."""
        return self.beyond_chance and abs(self.value) - self.by_chance >= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "beyond_chance": self.beyond_chance, "alarm": self.alarm}


@dataclass(frozen=True)
class WindowComparison:
    """All statistics of one drift look."""

    documents: int
    """Documents of the window with a score."""
    reference_documents: int
    worth: float
    """Independent documents that those of the window are worth."""
    reference_worth: float
    statistics: tuple[Statistic, ...]
    ks_seen_from: float
    """Smallest distance of the distribution functions that is beyond chance at these sizes."""
    shares: Mapping[str, tuple[float, float]]
    """Kept, truncated and the most frequent languages: share of the reference, share of the window."""

    @property
    def alarm(self) -> bool:
        """True if any statistic raises one."""
        return any(statistic.alarm for statistic in self.statistics)

    @property
    def alarms(self) -> tuple[str, ...]:
        """The names of the statistics that raise an alarm."""
        return tuple(statistic.name for statistic in self.statistics if statistic.alarm)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "documents": self.documents,
            "reference_documents": self.reference_documents,
            "worth": self.worth,
            "reference_worth": self.reference_worth,
            "statistics": {statistic.name: statistic.to_json() for statistic in self.statistics},
            "ks_seen_from": self.ks_seen_from,
            "shares": {name: {"reference": a, "window": b} for name, (a, b) in self.shares.items()},
        }


class TooFewError(InputError):
    """The window has too few documents: nothing was compared."""


def compare(reference: Profile, window: Profile, config: WatchConfig) -> WindowComparison:
    """Compare a window with the reference.

    Raise TooFewError if the window has too few documents, and InputError if the reference has too few or the scales
    differ.
    """
    for name, profile, least in (
        ("window", window, config.least_documents),
        ("reference", reference, config.least_reference),
    ):
        if profile.documents < least:
            kind = TooFewError if name == "window" else InputError
            raise kind(
                f"the {name} has {profile.documents:,} scored documents, and needs {least:,}",
                fix="Take a longer window, or log a larger share"
                if name == "window"
                else "Name scores of a corpus to compare with",
            )
        needed = min(config.least_worth, least / 4)
        if profile.independent < needed:
            kind = TooFewError if name == "window" else InputError
            runs = (
                "in runs of one kind that are too long to tell chance from change"
                if profile.independent == 0
                else f"in runs or clusters, worth {profile.independent:,.0f} independent ones"
            )
            raise kind(
                f"the {profile.documents:,} documents of the {name} come {runs}; {needed:,.0f} are needed for "
                "a promise on false alarms",
                fix="Take a longer window" if name == "window" else "Name scores of a larger corpus to compare with",
            )
    if (reference.low, reference.high) != (window.low, window.high):
        raise InputError("reference and window are of different scales", fix="Compare scores by one rubric")
    level = config.level
    a, b = (profile.independent / profile.documents for profile in (reference, window))
    (language_a, language_b), common = _languages(reference, window)
    statistics = [
        *_distribution("score", _cells(reference.scores, window.scores), (a, b), config),
        *_distribution("length", _cells(reference.lengths, window.lengths), (a, b), config),
        Statistic(
            "language",
            total_variation(language_a, language_b),
            0.0,
            config.share,
            shuffled_p(deflated(language_a, a), deflated(language_b, b), g_statistic, level=level),
            level,
        ),
    ]
    m, n = reference.documents, window.documents
    shares = {
        "truncated": (reference.truncated / m, window.truncated / n),
        "kept": (reference.kept / m, window.kept / n),
    }
    for name, (before, now) in shares.items():
        before_after = [
            deflated(np.array([count, of - count]), worth)
            for count, of, worth in ((getattr(reference, name), m, a), (getattr(window, name), n, b))
        ]
        p = share_p(*(int(value) for counts in before_after for value in (counts[0], counts.sum())))
        statistics.append(Statistic(f"share_{name}", now - before, 0.0, config.share, p, level))
    return WindowComparison(
        n,
        m,
        window.independent,
        reference.independent,
        tuple(statistics),
        ks_seen_from(reference.independent, window.independent, level),
        {**shares, **common},
    )


def _distribution(
    name: str, counts: tuple[IntArray, IntArray], worth: tuple[float, float], config: WatchConfig
) -> list[Statistic]:
    """Return the statistics of a distribution. `worth`: independent documents that one of each sample is worth."""
    a, b = counts
    # By chance the index grows with the number of cells; the bound of the distance holds on any grid.
    few_a, few_b = merge_cells(a, b, PSI_CELLS)
    m, n = float(a.sum()) * worth[0], float(b.sum()) * worth[1]
    used = int(((few_a + few_b) > 0).sum())
    distance = ks_distance(a, b)
    level = config.level
    return [
        Statistic(
            f"{name}_psi",
            float(psi(few_a, few_b)),
            psi_of_chance(m, n, used),
            config.psi,
            shuffled_p(deflated(few_a, worth[0]), deflated(few_b, worth[1]), psi, level=level),
            level,
        ),
        Statistic(f"{name}_ks", distance, 0.0, config.ks, ks_p(distance, m, n), level),
    ]


def _cells(a: Mapping[int, int], b: Mapping[int, int]) -> tuple[IntArray, IntArray]:
    """Return the counts of both in the cells that either has, in rising order."""
    cells = sorted({*a, *b})
    return np.array([a.get(cell, 0) for cell in cells]), np.array([b.get(cell, 0) for cell in cells])


def _languages(a: Profile, b: Profile) -> tuple[tuple[IntArray, IntArray], dict[str, tuple[float, float]]]:
    """Return the counts of both by language, rare languages together at the end, and the most frequent shares."""
    together = {code: a.languages.get(code, 0) + b.languages.get(code, 0) for code in {*a.languages, *b.languages}}
    # By number, then by code, so that languages with equal numbers have a fixed order.
    order = sorted(together, key=lambda code: (-together[code], code))
    common = [code for code in order if together[code] >= LEAST_OF_A_LANGUAGE]
    found = []
    for profile in (a, b):
        counts = [profile.languages.get(code, 0) for code in common]
        found.append(np.array([*counts, profile.documents - sum(counts)]))
    shares = {
        f"language {code or 'not recognised'}": (
            a.languages.get(code, 0) / a.documents,
            b.languages.get(code, 0) / b.documents,
        )
        for code in order[:8]
    }
    return (found[0], found[1]), shares
