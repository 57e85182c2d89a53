"""Reports: one renderer for Decks, HTML pages, Markdown cards and the terminal. It knows nothing of classifiers."""

from assay.report.blocks import Block, Callout, Facts, Figure, Prose, Report, Section, Table, TextItem, Texts
from assay.report.charts import (
    chart_calibration,
    chart_confusion,
    chart_distribution,
    chart_intervals,
    chart_lines,
    chart_precision_recall,
    chart_repeats,
    chart_score_by_label,
    chart_times,
)
from assay.report.html import fragment_of, render_fragment, render_html, write_html
from assay.report.text import print_table, render_markdown

__all__ = [
    "Block",
    "Callout",
    "Facts",
    "Figure",
    "Prose",
    "Report",
    "Section",
    "Table",
    "TextItem",
    "Texts",
    "chart_calibration",
    "chart_confusion",
    "chart_distribution",
    "chart_intervals",
    "chart_lines",
    "chart_precision_recall",
    "chart_repeats",
    "chart_score_by_label",
    "chart_times",
    "fragment_of",
    "print_table",
    "render_fragment",
    "render_html",
    "render_markdown",
    "write_html",
]
