"""Show scores over time: at each look of the watch, and on each day of the score log."""

import datetime

from assay.overview.state import Day, State
from assay.overview.words import share, time_of
from assay.report import Block, Callout, Facts, Figure, Prose, chart_times

VERSIONS_SHOWN = 4
"""Versions in the chart of looks: the last ones. More lines cannot be distinguished."""


def look_blocks(state: State) -> list[Block]:
    """Show the share kept at each look, by version."""
    if not state.places.looks:
        return [Prose("The log of looks was not named, so the looks of the watch are not shown.")]
    if not state.looks:
        return [Callout(f"There is no look yet: `assay watch --looks {state.places.looks}` makes the first.", "note")]
    looks = [look for look in state.looks if "kept" in look.shares]
    if not looks:
        return [Callout("No look has the share kept.", "note")]
    newest = list(dict.fromkeys(look.version for look in reversed(looks)))[:VERSIONS_SHOWN]
    lines = {
        version: (
            [time_of(look.when) for look in looks if look.version == version],
            [look.shares["kept"] for look in looks if look.version == version],
        )
        for version in reversed(newest)
    }
    first = min(times[0] for times, _ in lines.values())
    moved = [time_of(move.when) for move in state.moves if time_of(move.when) >= first]
    chart = chart_times(
        lines,
        marks=moved,
        marked="another champion",
        flags=[(time_of(look.when), look.shares["kept"]) for look in looks if look.alarms and look.version in lines],
        flagged="alarm",
        from_zero=True,
        y="share kept",
        name="share kept at each look",
    )
    which = f"{len(looks):,} looks by version {newest[0]}" if len(newest) == 1 else f"{len(looks):,} looks, by version"
    return [Figure(chart, f"Share kept of each window that the watch checked: {which}.")]


def log_blocks(state: State) -> list[Block]:
    """Show the answers of the service, day by day."""
    places, days = state.places, state.days
    if not places.log:
        return [Prose("The score log was not named, so the answers of the service are not shown.")]
    if not days:
        return [Callout(f"No answer is in the score log of the last {places.days} days.", "note")]
    documents, scored = sum(day.documents for day in days), [day for day in days if day.scored]
    counts = {"documents": ([_midnight(day) for day in days], [float(day.documents) for day in days])}
    blocks: list[Block] = [
        Facts(
            {
                "documents logged": f"{documents:,}",
                "documents a day, on days with any": f"{documents / len(days):,.0f}",
                "share kept": share(sum(day.kept for day in days), sum(day.scored for day in days)),
                "without a score": f"{sum(day.documents - day.scored for day in days):,}",
            }
        ),
    ]
    if len(days) == 1:  # a line of one point is invisible
        return [*blocks, Prose(f"They are all from {days[0].date}. Charts begin with the second day.")]
    blocks.append(
        Figure(
            chart_times(counts, from_zero=True, y="documents", name="documents in the score log each day"),
            f"Documents in the score log each day. {len(days)} of the last {places.days} days have any; today is not "
            "complete. If ASSAY_SERVE_LOG_SHARE is below 1, the service logs a part of its answers.",
        )
    )
    if scored:
        times = [_midnight(day) for day in scored]
        kept = {"share kept": (times, [day.kept / day.scored for day in scored])}
        means = {"expected label": (times, [day.calibrated / day.scored for day in scored])}
        blocks += [
            Figure(
                chart_times(kept, from_zero=True, y="share kept", name="share kept each day"),
                "Share kept of the documents with a score, each day.",
            ),
            Figure(
                chart_times(means, y="expected label", name="mean expected label each day"),
                "Mean of the expected labels, on the scale of the labels.",
            ),
        ]
    return blocks


def _midnight(day: Day) -> datetime.datetime:
    return datetime.datetime.combine(day.date, datetime.time(), datetime.UTC)
