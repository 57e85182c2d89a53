"""The report and the data card of a mixture."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from assay.mixture.bins import WHOLE, QualityBins
from assay.mixture.loaders import NOTES
from assay.mixture.manifest import MixedCell, Mixture
from assay.mixture.request import MixtureRequest
from assay.report import Block, Callout, Facts, Figure, Prose, Report, Section, Table, chart_repeats, render_markdown
from assay.storage import parse_json

FAR = 0.1
"""Share of the tokens in other bins than when the bins were made, above which the report warns. Chosen."""
TOPICS = (
    "Tokens of each topic in the corpus, different ones in the mixture, and all of it, repeats included. Lost: to "
    "whole documents. Short: of what was requested for the topic."
)
CHARTS = 12
"""Topics that have a chart of their own, the largest in the mixture."""


def request_of(mixture: Mixture) -> MixtureRequest:
    """Return the request of a mixture."""
    return parse_json(MixtureRequest, json.dumps(mixture.request), what="the request of this mixture")


def summary(mixture: Mixture) -> str:
    """Return the result in one sentence."""
    epochs = mixture.copied_tokens / max(mixture.tokens, 1)
    return (
        f"{mixture.copied_tokens:,} of {mixture.budget:,} tokens, from {mixture.tokens:,} different ones in "
        f"{mixture.documents:,} documents ({epochs:.2f} epochs); {mixture.lost:,} lost to whole documents, "
        f"{sum(mixture.short.values()):,} short; counted by: {mixture.tokenizer}."
    )


def topic_table(mixture: Mixture) -> pd.DataFrame:
    """Return a row for each topic: its tokens in the corpus and the mixture, its aim, and what it lacks."""
    rows = []
    for topic in dict.fromkeys(cell.topic for cell in mixture.cells):
        cells = [cell for cell in mixture.cells if cell.topic == topic]
        there, unique = sum(cell.tokens_there for cell in cells), sum(cell.tokens for cell in cells)
        mixed = sum(cell.copied_tokens for cell in cells)
        rows.append(
            {
                "topic": topic or "all",
                "tokens there": there,
                "different": unique,
                "in the mixture": mixed,
                "share": mixed / max(mixture.copied_tokens, 1),
                "epochs": mixed / max(unique, 1),
                "lost": mixture.aims.get(topic, mixed) - mixed,
                "short": mixture.short.get(topic, 0) if topic else 0,
            }
        )
    return pd.DataFrame(rows)


def cell_table(mixture: Mixture, bins: QualityBins) -> pd.DataFrame:
    """Return a row for each cell, the best of each topic first."""
    rows = []
    for cell in mixture.cells:
        starts = [bins.low, *bins.starts(cell.topic)]
        rows.append(
            {
                "topic": cell.topic or "all",
                "bin": cell.bin,
                "quality from": float(starts[cell.bin]),
                "documents": cell.documents_there,
                "tokens": cell.tokens_there,
                "repeat": cell.repeat,
                "different tokens": cell.tokens,
                "tokens of the mixture": cell.copied_tokens,
            }
        )
    return pd.DataFrame(rows).sort_values(["topic", "bin"], ascending=[True, False], kind="stable")


def caution(mixture: Mixture) -> list[str]:
    """Return sentences on what a reader should know before using the mixture."""
    lines = list(mixture.merged)
    for topic, tokens in mixture.short.items():
        lines.append(f"{f'topic {topic}' if topic else 'the mixture'} is {tokens:,} tokens short of what was requested")
    return [f"{line[0].upper()}{line[1:]}." for line in lines]


def moved_sentence(mixture: Mixture) -> str:
    """Return how far the corpus has moved from the one that the bins were made of. Empty for bins of its own."""
    if mixture.moved is None:
        return ""
    whole = mixture.moved.get(WHOLE, 0.0)
    topics = {topic: share for topic, share in mixture.moved.items() if topic != WHOLE}
    most = max(topics, key=lambda topic: topics[topic]) if topics else ""
    more = f" The topic that moved most: {most}, {topics[most]:.1%}." if most else ""
    return f"{whole:.1%} of the tokens are in other bins than in the corpus that the bins were made of.{more}"


def _chart(cells: Sequence[MixedCell], name: str) -> Figure:
    values = [
        np.array([getattr(cell, what) for cell in cells], float) for what in ("tokens_there", "copied_tokens", "repeat")
    ]
    drawing = chart_repeats([str(cell.bin) for cell in cells], *values, name=f"repeat and tokens by quality, {name}")
    return Figure(drawing, f"Tokens of the corpus and of the mixture by bin of quality, and the repeat: {name}.")


def _charts(mixture: Mixture) -> list[Block]:
    by_topic: dict[str, list[MixedCell]] = {}
    for cell in mixture.cells:
        by_topic.setdefault(cell.topic, []).append(cell)
    order = sorted(by_topic, key=lambda topic: -sum(cell.copied_tokens for cell in by_topic[topic]))
    return [_chart(by_topic[topic], topic or "all topics") for topic in order[:CHARTS]]


def mixture_report(mixture: Mixture, bins: QualityBins) -> Report:
    """Return the report. Its bytes depend on the mixture only."""
    request = request_of(mixture)
    moved = mixture.moved or {}
    notes: list[Block] = [Callout(line, "warn") for line in caution(mixture)]
    if sentence := moved_sentence(mixture):
        notes.append(Callout(sentence, "warn" if max(moved.values(), default=0) > FAR else "note"))
    if mixture.learned:
        notes.append(Prose(mixture.learned))
    return Report(
        "What is in the mixture?",
        request.in_words(),
        [
            Section(
                "Mixture",
                [
                    Facts(
                        {
                            "tokens": f"{mixture.copied_tokens:,}",
                            "different tokens": f"{mixture.tokens:,}",
                            "epochs": f"{mixture.copied_tokens / max(mixture.tokens, 1):.2f}",
                            "documents": f"{mixture.documents:,}",
                        }
                    ),
                    Prose(summary(mixture)),
                    *notes,
                    Table(topic_table(mixture), TOPICS),
                ],
            ),
            Section("Repeat by quality", _charts(mixture)),
            Section(
                "Cells", [Table(cell_table(mixture, bins), "Topic by quality; the repeat is the mean of the tokens.")]
            ),
            _lineage(mixture),
        ],
    )


def _lineage(mixture: Mixture) -> Section:
    rows = {
        "mixture": mixture.version,
        "corpus": mixture.corpus,
        "bins": mixture.bins,
        **{f"model of {name}": model for name, model in zip(mixture.scores, mixture.models, strict=True)},
    }
    return Section("Lineage", [Table(pd.DataFrame([{"": name, " ": value} for name, value in rows.items()]))])


def mixture_card(mixture: Mixture, bins: QualityBins) -> str:
    """Return the data card: Markdown below the YAML head of Hugging Face data sets."""
    request = request_of(mixture)
    head = {
        "pretty_name": f"Mixture: {request.in_words()}",
        "task_categories": ["text-generation"],
        "tags": ["pretraining-data", "data-quality", "data-mixture"],
        "configs": [{"config_name": "references", "data_files": "references/*.parquet"}],
    }
    asked = pd.DataFrame([{"setting": name, "value": str(value)} for name, value in mixture.request.items()])
    sentences = [*caution(mixture), moved_sentence(mixture), mixture.learned]
    sections = [
        Section(
            "What this is",
            [
                Prose(
                    f"References to documents of a corpus of {mixture.rows:,}, with the times that each is used in "
                    "training. They have no text. The chart of repeats by quality is in `report.html`."
                ),
                Prose(summary(mixture)),
                *[Prose(line) for line in sentences if line],
                Table(topic_table(mixture), TOPICS),
            ],
        ),
        Section("Cells", [Table(cell_table(mixture, bins), "Topic by quality.")]),
        Section(
            "Files",
            [
                Prose("`references/`: `row`, `id`, `topic`, `bin`, `quality`, `tokens` of one copy, and `repeat`."),
                *[Prose(f"`loaders/{name}`: {text}.") for name, text in NOTES.items()],
                Prose("`bins.json`: the bins, for the next corpus. `mixture.json`: the manifest."),
            ],
        ),
        Section("Request", [Table(asked)]),
        _lineage(mixture),
    ]
    return render_markdown(Report("Mixture", sections=sections), head)
