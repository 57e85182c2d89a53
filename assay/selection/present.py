"""The report of a selection: selected and other documents at both ends of the ranking, and the cut."""

import numpy as np
import pandas as pd

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
from assay.scoring import REJECTED, Certificate, Measurement, Scores
from assay.selection.facts import SHOWN, TITLES, SelectionFacts, edges_of
from assay.selection.mix import in_words
from assay.selection.request import SelectionRequest
from assay.storage import Snapshot

DUPLICATES = "_duplicates.parquet"
HIGH_LOSS = 0.05
"""Share of documents without a score above which the report warns."""


def funnel_table(snapshot: Snapshot) -> pd.DataFrame:
    """Return the documents and tokens left after each step, from the manifest of a selection."""
    columns = ["", "documents", "tokens"]
    return pd.DataFrame(snapshot.manifest.provenance["funnel"], columns=columns, dtype=object)


def promise(selection: Snapshot) -> str:
    """Return a sentence with the tokens promised and realised."""
    given = selection.manifest.provenance
    promised, realised = int(given["tokens_promised"]), int(given["tokens_realised"])
    return (
        f"{promised:,} tokens promised, {realised:,} realised ({realised / max(promised, 1):.1%}), "
        f"counted by: {selection.manifest.tokenizer}."
    )


def mix_sentences(selection: Snapshot) -> list[str]:
    """Return how far the corpus has the mix of the calibration documents, as sentences."""
    given = selection.manifest.provenance
    limit = float(given.get("request", {}).get("mix_distance", SelectionRequest.mix_distance))
    return in_words(given.get("mix"), limit)


def _mix(selection: Snapshot) -> list[Block]:
    given = selection.manifest.provenance.get("mix")
    lines = mix_sentences(selection)
    if not lines:
        return []
    calm = isinstance(given, dict) and len(lines) == 1
    return [Prose(lines[0]) if calm else Callout(" ".join(lines), "warn")]


def _distribution(selection: Snapshot, scores: Scores, facts: SelectionFacts) -> Block:
    total, bins = scores.histogram.total(), scores.histogram.bins
    edges, kept = np.array(edges_of(scores)), np.array(facts.bars, float)
    everything = np.histogram(bins.low + (total.bins + 0.5) * bins.width, edges, weights=total.tokens)[0]
    amounts = {"selected": kept, "not selected": np.maximum(everything - kept, 0)}
    cut = float(selection.manifest.provenance["cut"])
    return Figure(
        chart_distribution(edges, amounts, cut=cut, x="score", y="tokens", name="tokens by score, selected and not"),
        "Tokens of the documents in scope by score. Documents above the cut that are not selected are near-duplicates.",
    )


def _dropped(scores: Scores) -> list[Block]:
    totals = scores.totals
    rows = [{"": f"no score: {reason}", "documents": count} for reason, count in totals.reasons.items()]
    foreign = sorted(totals.foreign.items(), key=lambda item: (-item[1], item[0]))
    rows += [{"": f"out of scope: language {code}", "documents": count} for code, count in foreign[:20]]
    blocks: list[Block] = []
    lost = totals.documents - totals.scored - totals.reasons.get(REJECTED, 0)
    if lost > HIGH_LOSS * totals.documents:
        share = lost / totals.documents
        blocks.append(Callout(f"{share:.1%} of the documents have no score. The reasons are below.", "warn"))
    if totals.tokens_read < 0.95 * totals.tokens:
        blocks.append(
            Callout(
                f"The model read {totals.tokens_read / totals.tokens:.0%} of the tokens of the documents it scored. "
                "The score of a long document is the score of its windows.",
                "warn",
            )
        )
    return [*blocks, Table(pd.DataFrame(rows)) if rows else Prose("Every document has a score and is in scope.")]


def _cascade(scores: Scores, cut: float) -> list[Section]:
    """Return the section on a cascade; none if every document was scored."""
    certificate = Certificate.of(scores.folder)
    if certificate is None:
        return []
    price = pd.DataFrame(
        [
            {
                "recall of at least": f"{point.recall:.1%}",
                "cut of the cheap model": point.cut,
                "read by the full model": f"{point.scored:.1%}",
            }
            for point in certificate.frontier
        ]
    )
    blocks: list[Block] = [Prose(f"The promise: {certificate.sentence()}.")]
    if cut < certificate.threshold:
        blocks.append(
            Callout(
                f"The selection goes down to the score {cut:.3f}, and the promise is about {certificate.threshold:.3f} "
                "and above: more of the documents between them may be missing.",
                "warn",
            )
        )
    caption = "What other promises by the same documents cost: share of the documents that the full model reads."
    return [Section("Cascade", [*blocks, Table(price, caption)])]


def _backend(scores: Scores, cut: float) -> list[Section]:
    """Return the section on the backend that computed the network; none if it was the reference."""
    measured = Measurement.of(scores.folder)
    if measured is None:
        return []
    blocks: list[Block] = [Prose(f"The promise: {measured.sentence()}.")]
    band = measured.bands[0]
    if band.low is None or band.high is None or not band.low <= cut <= band.high:
        blocks.append(
            Callout(
                f"The selection's cut, {cut:.3f}, lies outside of what was read again, so nothing is promised of it. "
                "Score with --backend-share of the share that is to be kept.",
                "warn",
            )
        )
    return [Section("Backend", blocks)]


def _fallen(duplicates: pd.DataFrame) -> list[Block]:
    if duplicates.empty:
        return [Prose("No document above the cut is a near-duplicate of a better one.")]
    caption = f"{len(duplicates):,} documents above the cut are near-duplicates of better ones"
    more = f". The first {SHOWN}:" if len(duplicates) > SHOWN else "."
    return [
        Table(duplicates.head(SHOWN).rename(columns={"id": "dropped", "kept_id": "selected instead"}), caption + more)
    ]


def _slices(scores: Scores, facts: SelectionFacts) -> list[Section]:
    name = scores.folder.plan.config.slice_by
    if not name:
        return []
    rows = []
    for value, counts in scores.histogram.slices.items():
        documents, tokens = facts.slices.get(value, [0, 0])
        rows.append(
            {
                name: value,
                "documents in scope": int(counts.documents.sum()),
                "selected": documents,
                "tokens in scope": int(counts.tokens.sum()),
                "tokens selected": tokens,
                "share of tokens selected": float(tokens / max(counts.tokens.sum(), 1)),
            }
        )
    table = pd.DataFrame(rows).sort_values("tokens selected", ascending=False, kind="stable").head(40)
    return [Section(f"By {name}", [Table(table)])]


def selection_report(
    selection: Snapshot,
    scores: Scores,
    corpus: Snapshot,
    request: SelectionRequest,
    facts: SelectionFacts,
    duplicates: pd.DataFrame,
) -> Report:
    """Return the report, which is shown as a page and as a Deck. Its bytes depend on the selection only.

    `duplicates`: `id` and `kept_id` of near-duplicates that were not selected.
    """
    given, manifest = selection.manifest.provenance, selection.manifest
    ends = []
    for title, places in zip(TITLES, facts.ends, strict=True):
        items = [
            TextItem(f"score {place.score:.3f}, expected label {place.expected:.2f}", place.text, place.shown)
            for place in places
        ]
        ends.append(Section(title, [Texts(items) if items else Prose("None.")]))
    return Report(
        "What was selected?",
        f"{request.in_words()} of {corpus.manifest.rows:,} documents",
        [
            Section(
                "Selected",
                [
                    Facts(
                        {
                            "documents": f"{manifest.rows:,}",
                            "of the corpus": f"{manifest.rows / corpus.manifest.rows:.1%}",
                            "tokens": f"{manifest.tokens:,}",
                            "lowest score": f"{float(given['cut']):.3f}",
                        }
                    ),
                    Prose(promise(selection)),
                    *_mix(selection),
                    Table(funnel_table(selection), "Documents left after each step."),
                    _distribution(selection, scores, facts),
                ],
            ),
            *_cascade(scores, float(given["cut"])),
            *_backend(scores, float(given["cut"])),
            Section("Not selected", [*_dropped(scores), *_fallen(duplicates)]),
            *_slices(scores, facts),
            *ends,
            Section(
                "Lineage",
                [Table(pd.DataFrame([{"": name, " ": str(given[name])} for name in ("corpus", "model", "scores")]))],
            ),
        ],
    )
