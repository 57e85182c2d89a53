"""The page of a drift look."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from assay.model import Profile
from assay.monitoring.looks import DriftLook
from assay.monitoring.statistics import IntArray
from assay.monitoring.watch import TITLES, WatchResult
from assay.report import Block, Callout, Facts, Figure, Prose, Report, Section, Table, chart_lines
from assay.rubric import Rubric

CURVE_BINS = 40
"""Bins of equal width in the curves of the distributions."""


def watch_report(
    result: WatchResult, reference: Profile, window: Profile, rubric: Rubric, history: Sequence[DriftLook] = ()
) -> Report:
    """Return the page of a drift look. `history` holds the looks at the model, the oldest first, this one included."""
    first, *others = result.sentences
    blocks: list[Block] = [
        Callout(first, "bad" if result.act else "warn" if result.alarm else "good"),
        Prose("\n".join(f"- {sentence}" for sentence in others)),
        Facts(
            {
                "documents": f"{result.comparison.documents:,}",
                "of the reference": f"{result.comparison.reference_documents:,}",
                "share kept": _before_now(result, "kept"),
                "share truncated": _before_now(result, "truncated"),
            }
        ),
        _table(result),
    ]
    sections = [
        Section("Found", blocks),
        Section(
            "Distributions",
            [
                Figure(
                    _curves(reference.scores, window.scores, reference.score_at, "score", log=False),
                    "Share of the documents by score, in bins of equal width. Scores may exceed the scale of labels.",
                ),
                Figure(
                    _curves(reference.lengths, window.lengths, Profile.length_at, "log10 of tokens", log=True),
                    "Share of the documents by length.",
                ),
            ],
        ),
        Section("Shares", [_shares(result)]),
    ]
    if len(history) > 1:
        sections.append(_history(history))
    subtitle = (
        f"{rubric.name} · model {result.version} · {result.window} · compared with {result.reference} · {result.when}"
    )
    return Report("Watch", subtitle, sections)


def _before_now(result: WatchResult, name: str) -> str:
    before, now = result.comparison.shares[name]
    return f"{before:.1%} → {now:.1%}"


def _table(result: WatchResult) -> Table:
    rows = [
        {
            "": TITLES[each.name],
            "value": f"{each.value:+.3f}" if each.name.startswith("share") else f"{each.value:.3f}",
            "by chance": f"{each.by_chance:.3f}" if each.by_chance else "",
            "matters from": f"{each.by_chance + each.limit:.3f}",
            "p": f"{each.p:.1g}",
            "beyond chance": each.beyond_chance,
            "alarm": each.alarm,
        }
        for each in result.comparison.statistics
    ]
    return Table(
        pd.DataFrame(rows),
        f"An alarm is both beyond chance (p at most {result.config.level:.2g}) and large enough to matter. Stability "
        "index: p by shuffling documents between reference and window, over ten cells with about as many documents of "
        "both; “by chance” is its average without any change. Kolmogorov–Smirnov: p is a bound for any sizes. "
        "Languages: half the sum of the absolute differences of all shares, p of the likelihood ratio by shuffling. "
        "Shares: the window's less the reference's, p by Fisher's exact test.",
    )


def _shares(result: WatchResult) -> Table:
    shares = result.comparison.shares
    return Table(
        pd.DataFrame(
            [
                {"": name, "reference": f"{a:.1%}", "window": f"{b:.1%}", "change": f"{100 * (b - a):+.1f}"}
                for name, (a, b) in shares.items()
            ]
        ),
        "Shares of the scored documents; changes in percentage points.",
    )


def _curves(a: Mapping[int, int], b: Mapping[int, int], edge: Callable[[int], float], x: str, *, log: bool) -> str:
    """Return a chart of both as shares in the same bins of equal width."""
    place = {cell: edge(cell) for cell in {*a, *b}}
    if log:
        # + 1 because the lowest cell begins at 0 tokens.
        place = {cell: float(np.log10(tokens + 1)) for cell, tokens in place.items()}
    low, high = min(place.values()), max(place.values())
    edges = np.linspace(low, high if high > low else low + 1, CURVE_BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    series = {}
    for name, counts in (("reference", a), ("window", b)):
        amount: IntArray = np.array(list(counts.values()))
        filled, _ = np.histogram([place[cell] for cell in counts], edges, weights=amount)
        series[name] = (middles, filled / amount.sum())
    return chart_lines(series, x=x, y="share of the documents", name=f"distribution of {x}: reference and window")


def _history(looks: Sequence[DriftLook]) -> Section:
    numbers = np.array([look.number for look in looks])
    kept = [look.shares.get("kept", np.nan) for look in looks]
    rows = [
        {
            "look": str(look.number),
            "when": look.when,
            "documents": look.documents,
            "alarms": ", ".join(TITLES.get(name, name) for name in look.alarms),
            "acted upon": look.act,
        }
        for look in looks[::-1][:24]
    ]
    return Section(
        "Earlier drift looks",
        [
            Figure(
                chart_lines({"share kept": (numbers, kept)}, x="look", y="share kept", name="share kept over looks"),
                f"Share kept over the last {len(looks):,} drift looks.",
            ),
            Table(pd.DataFrame(rows), "The last ones, the newest first."),
        ],
    )
