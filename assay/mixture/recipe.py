"""The recipe: how often the documents of each cell, topic by quality, are in the mixture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.mixture.bins import QualityBins
from assay.mixture.cells import Cell, InfeasibleError, Recipe, Unit
from assay.mixture.curve import STEPS, Curve
from assay.mixture.request import MixtureRequest
from assay.scoring import BINS, TokenHistogram

POOL = ""
"""Name of the group of the topics that share one curve."""
EXACT = 1e-9
"""Difference below which a repeat is taken for a whole number."""
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def solve(bins: QualityBins, histogram: TokenHistogram, request: MixtureRequest) -> Recipe:
    """Return the recipe for a corpus that was counted by topic on the axis of the bins.

    Raise InfeasibleError with the nearest wish that would do, if the budget or a share cannot be filled.
    """
    _require_topics(histogram, request)
    try:
        return _solve(bins, histogram, request)
    except InfeasibleError as error:
        raise InfeasibleError(str(error).partition(" (mixture)")[0], _nearest(bins, histogram, request)) from error


def _require_topics(histogram: TokenHistogram, request: MixtureRequest) -> None:
    named = {**request.shares, **request.floors, **request.caps}
    if unknown := sorted(set(named) - set(histogram.slices)):
        raise InputError(
            f"no document has the topic {unknown[0]!r}",
            where="mixture",
            fix=f"Name one of: {', '.join(sorted(histogram.slices)[:30])}",
        )


@dataclass(frozen=True)
class _Tokens:
    """Tokens of the topics, and what a position of the curve takes of them."""

    bins: QualityBins
    histogram: TokenHistogram
    request: MixtureRequest

    @cached_property
    def places(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Return the ends of the bins of each topic on the scale of the curve."""
        return {topic: self.bins.places(topic) for topic in self.histogram.slices}

    @cached_property
    def counts(self) -> dict[str, tuple[IntArray, IntArray]]:
        """Return the documents and tokens of the bins of each topic."""
        return {topic: self.bins.counts(topic, self.histogram) for topic in self.histogram.slices}

    def repeats(self, topic: str, at: float) -> FloatArray:
        """Return the mean repeat of each cell of a topic, shape (bins,)."""
        asked = self.request
        if asked.shape == "power":
            curve = Curve(at, asked.exponent, asked.discard, asked.max_repeat)
            return curve.mean(*self.places[topic])
        counts, edges = self.histogram.slices[topic], self.bins.edges_of(topic)
        taken, there = np.zeros(len(edges) + 1), np.zeros(len(edges) + 1)
        place = np.searchsorted(edges, counts.bins, side="right")
        np.add.at(taken, place, counts.tokens * _above(counts.bins, at))
        np.add.at(there, place, counts.tokens)
        return np.divide(taken, there, out=np.zeros_like(taken), where=there > 0) * asked.max_repeat

    def taken(self, topic: str, at: float) -> float:
        """Return the tokens of a topic in the mixture, repeats included."""
        if self.request.shape == "step":
            counts = self.histogram.slices[topic]
            return float(counts.tokens @ _above(counts.bins, at)) * self.request.max_repeat
        return float(self.repeats(topic, at) @ self.counts[topic][1])


def _above(places: NDArray[np.int64], at: float) -> FloatArray:
    """Return the share of each step of the axis that is above a cut. The cut falls from the top for at = 0 to 0."""
    return np.clip(places + 1 - (1 - at) * BINS, 0, 1)


def _bisect(taken: Callable[[float], float], aim: float) -> float:
    """Return the position at which `taken`, which does not fall, reaches an aim; 1 if it reaches none."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if taken(middle) < aim else (low, middle)
    return high


def _solve(bins: QualityBins, histogram: TokenHistogram, request: MixtureRequest) -> Recipe:
    tokens = _Tokens(bins, histogram, request)
    topics = sorted(histogram.slices)
    most = {topic: tokens.taken(topic, 1.0) for topic in topics}
    aims, short = _aims(topics, most, request, lambda topic, at: tokens.taken(topic, at))
    pool = [topic for topic in topics if topic not in aims]
    wanted = request.budget - sum(aims.values())
    able = sum(most[topic] for topic in pool)
    if wanted > able * (1 + EXACT) + len(aims):
        if not request.allow_short:
            raise InfeasibleError(
                f"{'the topics without a share' if aims else 'the corpus'} can fill {int(able):,} of "
                f"{wanted:,} tokens at {request.max_repeat} repeats at most",
                {},
            )
        short[""] = int(wanted - able)
        wanted = int(able)
    place = {topic: _bisect(partial(tokens.taken, topic), aim) for topic, aim in aims.items()}
    wanted = min(wanted, int(able))
    common = _bisect(lambda at: sum(tokens.taken(topic, at) for topic in pool), wanted)
    place |= dict.fromkeys(pool, common)
    if pool:
        aims = {**aims, **{topic: int(tokens.taken(topic, common)) for topic in pool}}
    return _recipe(tokens, topics, place, pool, aims, short, wanted)


def _aims(
    topics: list[str],
    most: Mapping[str, float],
    request: MixtureRequest,
    taken: Callable[[str, float], float],
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the tokens of the topics that have a curve of their own, and what these lack of their shares.

    These are topics with a share, and those whose floor or cap holds. For the others one position of the curve is
    sought at which all tokens together, each topic's held between its floor and its cap, are the rest of the budget.
    """
    budget, short = request.budget, {}
    aims: dict[str, int] = {}
    for what, wishes in (("share", request.shares), ("floor", request.floors)):
        for topic, share in wishes.items():
            wish = int(share * budget)
            if wish > most[topic] * (1 + EXACT):
                if not request.allow_short:
                    raise InfeasibleError(
                        f"topic {topic!r} can fill {int(most[topic]):,} of the {wish:,} tokens of its {what}", {}
                    )
                short[topic] = int(wish - most[topic])
            if what == "share":
                aims[topic] = min(wish, int(most[topic]))
    pool = [topic for topic in topics if topic not in aims]
    low = {topic: min(request.floors.get(topic, 0) * budget, most[topic]) for topic in pool}
    high = {topic: max(low[topic], request.caps.get(topic, 1.0) * budget) for topic in pool}
    rest = budget - sum(aims.values())
    if sum(low.values()) > rest * (1 + EXACT):
        raise InfeasibleError(f"the floors need {int(sum(low.values())):,} of {rest:,} tokens that no share takes", {})
    # Whole tokens: each share may be rounded down.
    lacking = rest - len(aims) - 1
    if not pool and lacking > 0 and not short:
        total = sum(request.shares.values())
        raise InputError(
            f"the shares of all topics sum to {total:.4g}", where="mixture", fix=f"Divide each by {total:.4g}"
        )
    if (
        pool
        and all(topic in request.caps for topic in pool)
        and sum(high.values()) < lacking
        and not request.allow_short
    ):
        lift = rest / max(sum(high.values()), 1)
        raise InputError(
            f"the caps leave {sum(high.values()) / budget:.4g} of the budget, and {rest / budget:.4g} is to be filled",
            where="mixture",
            fix=f"Multiply each by {lift:.4g}, or leave a topic without a cap",
        )
    held = {topic: min(high[topic], most[topic]) for topic in pool}
    if pool and sum(held.values()) < lacking and not request.allow_short:
        raise InfeasibleError(f"the topics without a share can fill {int(sum(held.values())):,} of {rest:,} tokens", {})
    at = _bisect(lambda place: sum(min(max(taken(t, place), low[t]), high[t]) for t in pool), rest)
    for topic in pool:
        free = taken(topic, at)
        if free < low[topic] and topic in request.floors:
            aims[topic] = int(low[topic])
        elif free > high[topic] and topic in request.caps:
            aims[topic] = int(high[topic])
    return aims, short


def _recipe(
    tokens: _Tokens,
    topics: list[str],
    place: Mapping[str, float],
    pool: list[str],
    aims: Mapping[str, int],
    short: Mapping[str, int],
    wanted: int,
) -> Recipe:
    request, cells, units, unit_of = tokens.request, [], [], []
    step = request.shape == "step"
    common = 0
    if step and pool:
        units.append(Unit(0, request.max_repeat, wanted // request.max_repeat))
    for topic in topics:
        documents, there = tokens.counts[topic]
        repeats = tokens.repeats(topic, place[topic])
        # Where a topic has no token in a bin, the repeat is of no use, and of no harm.
        repeats = np.where(np.abs(repeats - np.rint(repeats)) < EXACT, np.rint(repeats), repeats)
        if step and topic not in pool:
            common = len(units)
            units.append(Unit(0, request.max_repeat, aims[topic] // request.max_repeat))
        for at, repeat in enumerate(repeats.tolist()):
            cells.append(Cell(topic, at, int(documents[at]), int(there[at]), repeat))
            if step:
                unit_of.append(0 if topic in pool else common)
                continue
            least = int(repeat)
            unit_of.append(len(units))
            units.append(Unit(least, least + 1, int((repeat - least) * int(there[at]) + EXACT)))
    return Recipe(tuple(cells), tuple(units), tuple(unit_of), dict(aims), dict(short))


def _nearest(bins: QualityBins, histogram: TokenHistogram, request: MixtureRequest) -> dict[str, float]:
    """Return values of single settings, each of which would make the request feasible, the nearest of each."""

    def does(**change: Any) -> bool:
        try:
            _solve(bins, histogram, replace(request, **change))
        except InputError:
            return False
        return True

    found: dict[str, float] = {}
    budget = _last(lambda tokens: does(token_budget=tokens), 1, request.budget)
    if budget:
        found["token_budget"] = budget
    top = next((r for r in (request.max_repeat << n for n in range(1, 11)) if does(max_repeat=r)), 0)
    if top:
        # The smallest that does, above one that does not.
        low, high = top // 2, top
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if does(max_repeat=middle) else (middle, high)
        found["max_repeat"] = high
    if request.shape == "power" and request.discard and does(discard=0.0):
        ends = int(request.discard * 10_000)
        found["discard"] = _last(lambda n: does(discard=n / 10_000), 0, ends) / 10_000
    return found


def _last(does: Callable[[int], bool], low: int, high: int) -> int:
    """Return the largest number from `low` to below `high` that does, or 0 if `low` does not."""
    if not does(low):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if does(middle) else (low, middle)
    return low
