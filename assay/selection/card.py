"""Write the data card of a selection, in the format of Hugging Face data sets."""

import pandas as pd

from assay.report import Prose, Report, Section, Table, TextItem, Texts, render_markdown
from assay.selection.facts import LICENCES, SelectionFacts
from assay.selection.present import funnel_table, mix_sentences, promise
from assay.selection.request import SelectionRequest
from assay.storage import Snapshot

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
NAMES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
"""Size classes of Hugging Face: upper limits in rows, and names."""


def size_category(rows: int) -> str:
    """Return the name of the size class of a data set with `rows` rows."""
    for place, limit in enumerate(SIZES):
        if rows < limit:
            return f"n<{NAMES[0]}" if place == 0 else f"{NAMES[place - 1]}<n<{NAMES[place]}"
    return "n>1B"


def licences(selection: Snapshot, facts: SelectionFacts) -> pd.DataFrame | None:
    """Count the documents by licence. Return None if the corpus has no column of licences."""
    if not any(name in selection.manifest.schema for name in LICENCES):
        return None
    counts = sorted(facts.licences.items(), key=lambda item: -item[1])
    return pd.DataFrame(counts[:20], columns=["licence", "documents"])


def data_card(selection: Snapshot, corpus: Snapshot, request: SelectionRequest, facts: SelectionFacts) -> str:
    """Return Markdown below a YAML head."""
    manifest, stated = selection.manifest, licences(selection, facts)
    sources = ", ".join(str(source.get("uri", "")) for source in manifest.provenance["sources"]) or "not recorded"
    head = {
        "pretty_name": f"Selected documents: {request.in_words()}",
        "size_categories": [size_category(manifest.rows)],
        "task_categories": ["text-generation"],
        "tags": ["pretraining-data", "data-quality"],
        "configs": [{"config_name": "default", "data_files": "part-*.parquet"}],
    }
    shown = [
        TextItem(
            f"Grade {each.grade}, expected label {each.calibrated:.2f}", each.text, f"score {each.score:.3f}, {each.id}"
        )
        for each in sorted(facts.examples, key=lambda each: -each.grade)
    ]
    lineage = {name: manifest.provenance[name] for name in ("corpus", "model", "scores")} | {
        "version": manifest.version
    }
    sections = [
        Section(
            "What this is",
            [
                Prose(
                    f"{manifest.rows:,} documents, {request.in_words()} of a corpus of {corpus.manifest.rows:,}, "
                    "chosen by a document-quality classifier. The lowest score among them is "
                    f"{manifest.provenance['cut']:.4f}. They are meant for pretraining of language models. Read the "
                    "examples before you trust the classifier."
                ),
                Prose(promise(selection)),
                *([Prose(" ".join(mix_sentences(selection)))] if mix_sentences(selection) else []),
                Table(funnel_table(selection), "Documents left after each step."),
            ],
        ),
        Section("Columns", [Prose(", ".join(f"`{name}` ({kind})" for name, kind in manifest.schema.items()))]),
        Section(
            "Licences",
            [Table(stated)] if stated is not None else [Prose("The corpus has no column `license` or `licence`.")],
        ),
        Section("Examples at each grade", [Texts(shown)]),
        Section(
            "Lineage",
            [
                Prose(f"Sources: {sources}."),
                Table(pd.DataFrame([{"": name, " ": value} for name, value in lineage.items()])),
            ],
        ),
    ]
    return render_markdown(Report("Selected documents", sections=sections), head)
