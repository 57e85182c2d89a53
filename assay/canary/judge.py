"""The tests of a look at a canary: is the new version worse beyond chance, and by more than the limits allow?

Estimand: the difference between two versions on the traffic of the canary. Sample: the calls of both since it began.
The front draws for each call which version gets it, so both samples are of one population, whatever the clients send
and however their calls depend on each other over time; the call is the unit that was drawn, and so the unit of
independence. Documents of one call form a cluster. Where a connection is drawn and not a call, as by the Service of a
cluster, calls of one connection depend on each other, and the level holds only if clients open many connections.

The kept share and p_keep are compared, not the score: they mean the same in both versions, while a score has no unit of
its own. A version that is meant to keep another share needs another limit.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.canary.traffic import Traffic
from assay.deployment import CanaryConfig
from assay.monitoring import deflated, ks_distance, ks_p, ks_seen_from, share_p
from assay.proportions import chance_of, clopper_pearson

QUANTILE = 0.95
"""Quantile of the time to the answer that is compared."""
Outcome = Literal["kept", "broken", "open"]


@dataclass(frozen=True)
class Test:
    """The result of one test."""

    name: str
    """One of `assay.deployment.TESTS`."""
    outcome: Outcome
    """`broken`: the new version is worse beyond chance, and by more than the limit. `open`: too little traffic."""
    sentence: str
    """Figures of the test, for people."""
    serving: str
    """Figure of the serving version, with its 95 % interval."""
    new: str
    p: float
    """Probability, or an upper bound of it, of a difference at least this large by chance."""


def judge(serving: Traffic, new: Traffic, config: CanaryConfig) -> tuple[Test, ...]:
    """Apply all tests at `config.level`."""
    return (
        _errors(serving, new, config),
        _latency(serving, new, config),
        _kept(serving, new, config),
        _p_keep(serving, new, config),
    )


def missing(serving: Traffic, new: Traffic, config: CanaryConfig) -> str:
    """Return what is missing before the new version may be promoted, as a sentence. Empty if nothing is."""
    for whose, traffic in (("new", new), ("serving", serving)):
        if traffic.documents < config.documents:
            return f"the {whose} version scored {traffic.documents:,} documents, and needs {config.documents:,}"
        if traffic.worth < config.worth:
            return (
                f"the {traffic.documents:,} documents of the {whose} version came in {traffic.answered:,} requests and "
                f"are worth {traffic.worth:,.0f} independent ones, and {config.worth:,} are needed"
            )
    return ""


def _errors(serving: Traffic, new: Traffic, config: CanaryConfig) -> Test:
    """Compare the shares of failed requests by Fisher's exact test."""
    figures = _share(serving.failed, serving.requests), _share(new.failed, new.requests)
    if not serving.requests or not new.requests:
        return Test("errors", "open", "No request was answered by one of the two.", *figures, 1.0)
    rise = new.failed / new.requests - serving.failed / serving.requests
    p = share_p(new.failed, new.requests, serving.failed, serving.requests)
    broken = p <= config.level and rise > 0 and rise >= config.errors
    sentence = (
        f"{new.failed:,} of {new.requests:,} requests failed, {serving.failed:,} of {serving.requests:,} at the "
        f"serving version: {rise:+.2%}, allowed {config.errors:.2%}, p {p:.2g}."
    )
    return Test("errors", "broken" if broken else "kept", sentence, *figures, p)


def _latency(serving: Traffic, new: Traffic, config: CanaryConfig) -> Test:
    """Test that the new version's 95th percentile is at most `slower` times that of the serving one.

    Times are counted in cells. The serving version's percentile is at most the first edge whose upper bound of the
    share of slower requests is at most 5 %, but for half the level. The bound of a further edge can be too low only if
    that of the last edge below the percentile is, so the choice among edges costs nothing. The new version fails if
    more than 5 % of its requests are slower than `slower` times that edge, rounded up to an edge, but for half the
    level: the binomial tail.
    """
    figures = _quantile(serving), _quantile(new)
    tail, allowed = config.level / 2, 1 - QUANTILE
    of_both = sum(serving.seconds), sum(new.seconds)
    edge = next(
        (
            at
            for at in range(len(serving.edges) - 1)
            if of_both[0] and float(clopper_pearson(*serving.share_slower(at), tail)[1]) <= allowed
        ),
        None,
    )
    if edge is None or not of_both[1]:
        least = math.ceil(math.log(tail) / math.log(QUANTILE))
        sentence = f"{min(of_both):,} requests give no bound of the 95th percentile; at least {least:,} are needed."
        return Test("latency", "open", sentence, *figures, 1.0)
    limit = config.slower * serving.edges[edge]
    # The last finite edge stands for longer limits, which no request is meant to reach.
    at = next((i for i, each in enumerate(new.edges[:-1]) if each >= limit), len(new.edges) - 2)
    slow, count = new.share_slower(at)
    p = min(1.0, 2 * float(chance_of(slow, count, allowed)))
    sentence = (
        f"{slow:,} of {count:,} requests took over {new.edges[at]:g} s, allowed are {allowed:.0%}; 95 % of the serving "
        f"version's take at most {serving.edges[edge]:g} s, and the factor is {config.slower:g}; p {p:.2g}."
    )
    return Test("latency", "broken" if p <= config.level else "kept", sentence, *figures, p)


def _kept(serving: Traffic, new: Traffic, config: CanaryConfig) -> Test:
    """Compare the kept shares by Fisher's exact test on the independent documents that those of requests are worth."""
    figures = _kept_share(serving), _kept_share(new)
    if not serving.documents or not new.documents:
        return Test("kept", "open", "No document was scored by one of the two.", *figures, 1.0)
    change = new.kept / new.documents - serving.kept / serving.documents
    counts = []
    for each in (new, serving):
        worth = float(each.clustered.effective_trials) / each.documents
        counts.append(deflated(np.array([each.kept, each.documents - each.kept]), worth))
    p = share_p(*(int(value) for count in counts for value in (count[0], count.sum())))
    broken = p <= config.level and abs(change) >= config.kept
    sentence = (
        f"It keeps {new.kept:,} of {new.documents:,} documents, the serving version {serving.kept:,} of "
        f"{serving.documents:,}: {change:+.1%}, allowed {config.kept:.1%} either way, p {p:.2g}."
    )
    return Test("kept", "broken" if broken else "kept", sentence, *figures, p)


def _p_keep(serving: Traffic, new: Traffic, config: CanaryConfig) -> Test:
    """Compare the distributions of p_keep by the bound of Wei and Dudley for the Kolmogorov-Smirnov distance."""
    a, b = serving.chances, new.chances
    figures = f"{int(a.sum()):,} documents", f"{int(b.sum()):,} documents"
    if not serving.documents or not new.documents:
        return Test("p_keep", "open", "No document was scored by one of the two.", *figures, 1.0)
    if not a.sum() or not b.sum():
        return Test("p_keep", "kept", "One of the two is not calibrated and gives no p_keep.", *figures, 1.0)
    distance = ks_distance(a, b)
    m, n = max(1.0, serving.worth), max(1.0, new.worth)
    p = ks_p(distance, m, n)
    broken = p <= config.level and distance >= config.p_keep
    sentence = (
        f"The distributions of p_keep are {distance:.3f} apart, allowed {config.p_keep:.2f}; beyond chance from "
        f"{ks_seen_from(m, n, config.level):.3f} on; p {p:.2g}."
    )
    return Test("p_keep", "broken" if broken else "kept", sentence, *figures, p)


def _share(count: int, of: int) -> str:
    if not of:
        return "no request"
    low, high = clopper_pearson(count, of)
    return f"{count / of:.2%} [{low:.2%}, {high:.2%}]"


def _kept_share(traffic: Traffic) -> str:
    if not traffic.documents:
        return "no document"
    low, high = traffic.clustered.interval()
    return f"{traffic.kept / traffic.documents:.1%} [{low:.1%}, {high:.1%}]"


def _quantile(traffic: Traffic) -> str:
    """Return the cell of the 95th percentile in words."""
    count = sum(traffic.seconds)
    if not count:
        return "no request"
    at = int(np.searchsorted(np.cumsum(traffic.seconds), QUANTILE * count))
    edge = traffic.edges[min(at, len(traffic.edges) - 1)]
    return f"at most {edge:g} s" if math.isfinite(edge) else f"over {traffic.edges[-2]:g} s"
