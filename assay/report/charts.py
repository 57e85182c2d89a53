"""Charts as SVG: small, readable on light and dark pages, and the same bytes for the same data."""

import datetime
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text

from assay.report.blocks import printable

# Palette of Okabe and Ito: colour-blind readers can tell the colours apart, on white and on black.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a8f98"
COLOURS = (BLUE, ORANGE, GREEN, PINK, GREY)
POINTS_SHOWN = 40
"""Most points of a line over time that are shown as dots. A single point would be an invisible line."""

Points = tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]


def _axes(width: float = 7.0, height: float = 3.6) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(canvas)
    axes = canvas.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(color=GREY, labelsize=9)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return canvas, axes


def _svg(canvas: Canvas, name: str) -> str:
    """Return the drawing as an SVG element with an accessible name."""
    # fonttype none: text stays text, in the colour and font of the page. hashsalt and Date: without them ids and dates
    # would differ in each run.
    buffer = io.StringIO()
    # Names come from data: `$` in one is no formula, which could also be one that cannot be parsed. The setting is for
    # texts that are made while the chart is drawn, the loop for those that exist.
    for text in canvas.findobj(Text):
        text.set_parse_math(False)
    settings = {"svg.fonttype": "none", "svg.hashsalt": "assay", "font.family": "sans-serif", "text.parse_math": False}
    with mpl.rc_context(settings):
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = printable(drawing[drawing.index("<svg") :])
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{html.escape(printable(name))}" ', 1)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)


def chart_lines(series: Mapping[str, Points], *, x: str, y: str, name: str) -> str:
    """Draw lines over a common axis."""
    canvas, axes = _axes(height=3.0)
    for (title, (xs, ys)), colour in zip(series.items(), COLOURS * len(series), strict=False):
        axes.plot(xs, ys, color=colour, linewidth=1.6, label=title if len(series) > 1 else None)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    _legend(axes)
    return _svg(canvas, name)


def chart_times(
    series: Mapping[str, tuple[Sequence[datetime.datetime], Sequence[float]]],
    *,
    marks: Sequence[datetime.datetime] = (),
    marked: str = "",
    flags: Sequence[tuple[datetime.datetime, float]] = (),
    flagged: str = "",
    from_zero: bool = False,
    y: str,
    name: str,
) -> str:
    """Draw lines over a common axis of dates, with dots if the points are few.

    Each of `marks` gets a dashed line, each of `flags` a cross. `marked` and `flagged` are their names in the legend.
    """
    canvas, axes = _axes(height=3.0)
    for (title, (times, values)), colour in zip(series.items(), COLOURS * len(series), strict=False):
        dot = "o" if len(times) <= POINTS_SHOWN else None
        axes.plot(
            mdates.date2num(list(times)), values, color=colour, linewidth=1.6, marker=dot, markersize=4, label=title
        )
    for number, mark in enumerate(marks):
        label = marked if number == 0 else None
        axes.axvline(mdates.date2num(mark), color=PINK, linewidth=1.2, linestyle="--", label=label)
    if flags:
        axes.plot(
            mdates.date2num([time for time, _ in flags]),
            [value for _, value in flags],
            "X",
            color=PINK,
            markersize=10,
            markeredgecolor="white",
            label=flagged,
        )
    if from_zero:
        axes.set_ylim(bottom=0)
    ticks = mdates.AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(ticks, tz=datetime.UTC))
    axes.set_ylabel(y)
    if len(series) > 1 or marks or flags:
        _legend(axes)
    return _svg(canvas, name)


def chart_score_by_label(labels: Sequence[float] | np.ndarray, scores: Sequence[float] | np.ndarray) -> str:
    """Draw the score of each document over its label, with the quartiles of each label."""
    label, score = np.asarray(labels, float), np.asarray(scores, float)
    canvas, axes = _axes()
    levels = np.unique(label)
    step = float(np.diff(levels).min()) if len(levels) > 1 else 1.0
    # Points of one label would cover each other. The seed is fixed: the same data gives the same bytes.
    jitter = np.random.default_rng(0).uniform(-0.22, 0.22, len(label)) * step
    axes.scatter(label + jitter, score, s=10, color=BLUE, alpha=0.45, linewidths=0)
    for level in levels:
        low, middle, high = np.quantile(score[label == level], [0.25, 0.5, 0.75])
        axes.plot([level] * 2, [low, high], color=ORANGE, linewidth=5, alpha=0.55, solid_capstyle="butt")
        axes.plot([level - 0.25 * step, level + 0.25 * step], [middle] * 2, color=ORANGE, linewidth=2.2)
    axes.set_xlabel("label")
    axes.set_ylabel("score")
    return _svg(canvas, "score of each document by its label")


def chart_precision_recall(curves: Mapping[str, Points], point: tuple[float, float] | None = None) -> str:
    """Draw precision over recall of several systems. `point`: recall and precision at the cut."""
    canvas, axes = _axes(6.0, 4.0)
    for (title, (recall, precision)), colour in zip(curves.items(), COLOURS * max(1, len(curves)), strict=False):
        axes.step(recall, precision, where="post", color=colour, linewidth=1.6, label=title)
    if point is not None:
        axes.plot(*point, "o", color=ORANGE, markersize=9, markeredgecolor="white", label="kept at the threshold")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    _legend(axes)
    return _svg(canvas, "precision and recall of the kept class")


def chart_calibration(
    predicted: Sequence[float] | np.ndarray,
    observed: Sequence[float] | np.ndarray,
    low: Sequence[float] | np.ndarray,
    high: Sequence[float] | np.ndarray,
) -> str:
    """Draw the observed share over the predicted probability, with intervals. On the diagonal both are equal."""
    canvas, axes = _axes(4.6, 4.0)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    y = np.asarray(observed, float)
    errors = np.abs(np.stack([y - np.asarray(low, float), np.asarray(high, float) - y])) if len(y) else None
    axes.errorbar(predicted, y, yerr=errors, fmt="o", color=BLUE, ecolor=BLUE, elinewidth=1.2, markersize=5)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="p_keep", ylabel="share that reaches the threshold")
    return _svg(canvas, "calibration of p_keep")


def chart_repeats(names: Sequence[str], there: np.ndarray, mixed: np.ndarray, repeat: np.ndarray, *, name: str) -> str:
    """Draw for each of n bins the tokens of the corpus, those of the mixture, and the repeat by an axis of its own."""
    canvas, axes = _axes(7.0, 3.8)
    at = np.arange(len(names))
    axes.bar(at - 0.2, there, 0.4, color=GREY, label="tokens of the corpus", linewidth=0)
    axes.bar(at + 0.2, mixed, 0.4, color=BLUE, label="tokens of the mixture", linewidth=0)
    axes.set_xlabel("bin of quality, the best at the right")
    axes.set_ylabel("tokens")
    axes.set_xticks(at, names)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    right = axes.twinx()
    right.spines["top"].set_visible(False)
    right.plot(at, repeat, color=ORANGE, linewidth=1.8, marker="o", markersize=4, label="repeat (right axis)")
    right.set_ylim(bottom=0)
    right.set_ylabel("repeat")
    right.tick_params(color=GREY, labelsize=9)
    (bars, titles), (lines, more) = axes.get_legend_handles_labels(), right.get_legend_handles_labels()
    axes.legend(
        [*bars, *lines], [*titles, *more], frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=3
    )
    return _svg(canvas, name)


def chart_confusion(matrix: np.ndarray, names: Sequence[str]) -> str:
    """Draw the counts of labels (rows) by grades (columns), shape (k, k)."""
    size = 1.4 + 0.5 * len(names)
    canvas, axes = _axes(max(3.6, size), max(3.2, size * 0.9))
    axes.grid(visible=False)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row in range(len(names)):
        for column in range(len(names)):
            box: dict[str, Any] = {"color": BLUE, "alpha": float(0.05 + 0.6 * share[row, column]), "linewidth": 0}
            axes.fill_between([column - 0.48, column + 0.48], row - 0.48, row + 0.48, **box)
            axes.text(column, row, f"{int(matrix[row, column])}", ha="center", va="center", fontsize=9)
    ticks = range(len(names))
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="grade", ylabel="label", xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
    return _svg(canvas, "labels by grades")


def chart_intervals(
    names: Sequence[str],
    values: Sequence[float],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    *,
    x: str,
) -> str:
    """Draw one line for each system: its figure and the interval."""
    canvas, axes = _axes(7.0, 0.9 + 0.38 * max(1, len(names)))
    for row, (value, low, high) in enumerate(zip(values, lows, highs, strict=True)):
        colour = ORANGE if row == 0 else BLUE
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2, alpha=0.6)
        axes.plot([value], [row], "o", color=colour, markersize=6)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(x)
    return _svg(canvas, f"{x} of each system with its interval")


def chart_distribution(
    edges: np.ndarray, amounts: Mapping[str, np.ndarray], *, cut: float | None, x: str, y: str, name: str
) -> str:
    """Draw stacked bars between `edges`, shape (n + 1,), of several amounts, shape (n,) each, and a line at `cut`."""
    canvas, axes = _axes()
    below = np.zeros(len(edges) - 1)
    for (title, amount), colour in zip(amounts.items(), COLOURS * len(amounts), strict=False):
        axes.bar(edges[:-1], amount, np.diff(edges), bottom=below, align="edge", color=colour, label=title, linewidth=0)
        below = below + amount
    if cut is not None:
        axes.axvline(cut, color=GREY, linewidth=1.4, linestyle="--", label="cut")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _legend(axes)
    return _svg(canvas, name)
