"""The report of a build: documents kept and dropped, the reasons, and samples of the dropped ones."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from assay.curation.duplicates import Clusters
from assay.curation.funnel import EXACT_REASON, NEAR_REASON, Funnel
from assay.curation.pieces import EXTRACTION, UNREADABLE
from assay.curation.samples import PLACES, ReportSamples
from assay.report import (
    Block,
    Callout,
    Facts,
    Figure,
    Prose,
    Report,
    Section,
    Table,
    TextItem,
    Texts,
    chart_distribution,
)
from assay.storage import Snapshot

LANGUAGES = 20
"""Rows of the table of languages."""
MOST_DROPPED = 0.9
"""Share of dropped documents above which the report warns."""


def build_report(snapshot: Snapshot, funnel: Funnel, clusters: Clusters, samples: ReportSamples) -> Report:
    """Return the report, which is shown as a page and as a Deck. Its bytes depend on the pieces only."""
    manifest = snapshot.manifest
    (source,) = manifest.provenance["sources"]
    return Report(
        "What became of the documents?",
        f"{manifest.rows:,} of {funnel.found.documents:,} documents kept",
        [
            Section("Kept", [*_warnings(funnel), _facts(snapshot, funnel), Table(funnel.steps(), STEPS_CAPTION)]),
            Section("Dropped, by reason", _reasons(funnel)),
            *_passed(funnel),
            Section("Length", [_length_chart(samples)]),
            Section("Language", _languages(samples)),
            Section("Duplicates", _duplicates(snapshot, funnel, clusters)),
            *_contamination(snapshot, samples),
            *_unreadable(funnel, samples),
            *_samples(funnel, samples),
            Section(
                "Lineage",
                [
                    Table(
                        pd.DataFrame(
                            [
                                {"": "source", " ": source["uri"]},
                                {"": "revision", " ": str(source["revision"])},
                                {"": "version", " ": manifest.version},
                            ]
                        )
                    )
                ],
            ),
        ],
    )


STEPS_CAPTION = (
    "Documents left after each step. Tokens are an estimate, UTF-8 bytes / 4. Those of a dropped document are counted "
    "when it is dropped."
)


def _warnings(funnel: Funnel) -> list[Block]:
    found = funnel.found.documents
    blocks: list[Block] = []
    if funnel.kept.documents < (1 - MOST_DROPPED) * found:
        reason = max(funnel.dropped, key=lambda each: funnel.dropped[each].documents)
        share = funnel.kept.documents / found
        blocks.append(Callout(f"Only {share:.1%} of the documents are left. Most were dropped for: {reason}.", "warn"))
    for reason, words in ((UNREADABLE, "places in the source could not be read"), (EXTRACTION, "pages gave no text")):
        if reason in funnel.dropped:
            blocks.append(Callout(f"{funnel.dropped[reason].documents:,} {words}. See below.", "warn"))
    return blocks


def _facts(snapshot: Snapshot, funnel: Funnel) -> Facts:
    manifest = snapshot.manifest
    return Facts(
        {
            "documents": f"{manifest.rows:,}",
            "of all found": f"{funnel.kept.documents / funnel.found.documents:.1%}",
            "tokens, estimated": f"{manifest.tokens:,}",
            "shards": f"{len(manifest.shards):,}",
        }
    )


def _reasons(funnel: Funnel) -> list[Block]:
    if not funnel.dropped:
        return [Prose("No document was dropped.")]
    return [Table(funnel.reasons(), "Every dropped document is in _dropped.parquet, with the measured value.")]


def _passed(funnel: Funnel) -> list[Section]:
    if not funnel.passed:
        return []
    caption = "Files and records of the source that hold no documents. They are not among the documents found."
    return [Section("Passed over", [Table(funnel.passed_over(), caption)])]


def _length_chart(samples: ReportSamples) -> Block:
    both = samples.kept_lengths + samples.dropped_lengths
    last = int(np.flatnonzero(both).max()) + 1 if both.any() else 1
    amounts = {
        "kept": samples.kept_lengths[:last].astype(float),
        "dropped": samples.dropped_lengths[:last].astype(float),
    }
    svg = chart_distribution(
        np.arange(last + 1, dtype=float),
        amounts,
        cut=None,
        x="tokens of a document, as a power of two",
        y="documents",
        name="documents by length, kept and dropped",
    )
    return Figure(
        svg, "Documents by length in estimated tokens. The bar from 9 to 10 has those of 512 to 1,023 tokens."
    )


def _languages(samples: ReportSamples) -> list[Block]:
    every = samples.languages + samples.dropped_languages
    rows = [
        {"language": code, "kept": samples.languages[code], "dropped": samples.dropped_languages[code]}
        for code, _ in sorted(every.items(), key=lambda item: (-item[1], item[0]))[:LANGUAGES]
    ]
    more = f" The {LANGUAGES} most frequent of {len(every)}." if len(every) > LANGUAGES else ""
    caption = "Most probable language of each document. It is unknown if the text gives no evidence."
    return [Table(pd.DataFrame(rows, dtype=object), caption + more)] if rows else [Prose("No document.")]


def _duplicates(snapshot: Snapshot, funnel: Funnel, clusters: Clusters) -> list[Block]:
    config = snapshot.manifest.provenance["config"]
    if config["keep_duplicates"]:
        return [Prose("Duplicates were not searched.")]
    if not len(clusters.rows):
        return [Prose("No document has a duplicate.")]
    sizes = np.unique(clusters.survivor, return_counts=True)[1]
    fallen: Mapping[str, int] = Counter(
        {reason: funnel.dropped[reason].documents for reason in (EXACT_REASON, NEAR_REASON) if reason in funnel.dropped}
    )
    return [
        Facts(
            {
                "clusters": f"{len(sizes):,}",
                "exact duplicates dropped": f"{fallen[EXACT_REASON]:,}",
                "near-duplicates dropped": f"{fallen[NEAR_REASON]:,}",
                "largest cluster": f"{int(sizes.max()):,} documents",
            }
        ),
        Prose(
            f"Near-duplicates: estimated Jaccard similarity of word {config['dedup']['shingle_words']}-grams of at "
            f"least {config['dedup']['threshold']:g}, directly or through others. Of each cluster the longest document "
            "is kept. All clusters are in `_clusters.parquet`."
        ),
    ]


def _contamination(snapshot: Snapshot, samples: ReportSamples) -> list[Section]:
    if not snapshot.manifest.provenance["config"]["benchmarks"]:
        return []
    if not samples.contaminated:
        return [Section("Benchmarks", [Prose("No kept document shares a word 13-gram with a benchmark.")])]
    rows = [{"benchmark": name, "documents": count} for name, count in samples.benchmarks.most_common(PLACES)]
    words = (
        f"{samples.contaminated:,} kept documents share a word 13-gram with a benchmark. They are marked in the "
        "columns `contamination` and `contaminated_by`. They are not dropped."
    )
    return [Section("Benchmarks", [Callout(words, "warn"), Table(pd.DataFrame(rows, dtype=object))])]


def _unreadable(funnel: Funnel, samples: ReportSamples) -> list[Section]:
    if not samples.unreadable:
        return []
    rows = [{"member": member, "fault": fault} for member, fault in samples.unreadable]
    count = funnel.dropped[UNREADABLE].documents
    caption = f"{count:,} places in {samples.broken_members:,} members of the source"
    caption += f". These are the first {len(rows)}." if count > len(rows) else "."
    return [Section("Unreadable places", [Table(pd.DataFrame(rows, dtype=object), caption)])]


def _samples(funnel: Funnel, samples: ReportSamples) -> list[Section]:
    sections = []
    for reason, amount in funnel.dropped.items():
        rows = samples.samples(reason)
        items = [
            TextItem(
                row["id"] or "no id",
                row["excerpt"],
                f"{row['member']}, row {row['row']}"
                + (f"; measured {row['value']:.4g}" if row["value"] is not None else "")
                + (f"; {_detail(reason)} {row['detail']}" if row["detail"] else ""),
            )
            for row in rows
        ]
        if items:
            sections.append(Section(f"Dropped: {reason} ({amount.documents:,})", [Texts(items)]))
    return sections


def _detail(reason: str) -> str:
    return "kept instead:" if reason in (EXACT_REASON, NEAR_REASON) else "fault:"
