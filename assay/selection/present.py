"""The report of a selection: selected and other documents at both ends of the ranking, and the cut."""

import heapq
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
from assay.selection.columns import ADDED
from assay.selection.mix import in_words
from assay.selection.request import SelectionRequest
from assay.sources import free_names
from assay.storage import Snapshot, join, read_parquet

DUPLICATES = "_duplicates.parquet"
SHOWN = 5
"""Documents shown at each end."""
BARS = 60
"""Bars of the distribution of scores."""
HIGH_LOSS = 0.05
"""Share of documents without a score above which the report warns."""


@dataclass(frozen=True, order=True)
class _Place:
    """A document in the ranking. They compare by score."""

    score: float
    row: int
    name: str
    expected: float
    tokens: int


def _ends(scores: Scores, taken: NDArray[np.int64], fallen: set[str]) -> dict[str, list[_Place]]:
    """Return the best and the last documents, selected and not, without near-duplicates."""
    best: dict[bool, list[_Place]] = {True: [], False: []}
    worst: dict[bool, list[_Place]] = {True: [], False: []}
    for part, table in scores.rows(["id", "score", "calibrated", "budget_tokens", "reason", "in_scope"]):
        table = table.assign(row=np.arange(part.start, part.stop))
        table = table[table["reason"].isna() & table["in_scope"]]
        inside = np.isin(table["row"].to_numpy(), taken)
        for which, some in ((True, table[inside]), (False, table[~inside & ~table["id"].isin(fallen)])):
            ends = pd.concat([some.nlargest(SHOWN, "score"), some.nsmallest(SHOWN, "score")])
            places = {
                _Place(float(row.score), int(row.row), str(row.id), float(row.calibrated), int(row.budget_tokens))
                for row in ends.itertuples(index=False)
            }
            best[which] = heapq.nlargest(SHOWN, {*best[which], *places})
            worst[which] = heapq.nsmallest(SHOWN, {*worst[which], *places})
    return {
        "Best selected documents": best[True],
        "Last selected documents": worst[True],
        "Best documents not selected": best[False],
        "Worst documents": worst[False],
    }


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


def _distribution(selection: Snapshot, scores: Scores) -> Block:
    total, bins = scores.histogram.total(), scores.histogram.bins
    width = bins.width
    centres = bins.low + (total.bins + 0.5) * width
    edges = np.linspace(centres.min() - width, centres.max() + width, BARS + 1)
    everything = np.histogram(centres, edges, weights=total.tokens)[0]
    kept = np.zeros(BARS)
    for batch in selection.batches(["score", "tokens"]):
        values = np.clip(batch["score"].to_numpy(), edges[0], edges[-1])
        kept += np.histogram(values, edges, weights=batch["tokens"].to_numpy())[0]
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


def _slices(selection: Snapshot, corpus: Snapshot, scores: Scores) -> list[Section]:
    name = scores.folder.plan.config.slice_by
    if not name:
        return []
    column = free_names(corpus.manifest.schema, ADDED)[name]
    chosen = pd.concat([batch.to_pandas() for batch in selection.batches([column, "tokens"])])
    taken = chosen.groupby(chosen[column].astype(str))["tokens"].agg(["size", "sum"])
    rows = [
        {
            name: value,
            "documents in scope": int(counts.documents.sum()),
            "selected": int(taken["size"].get(value, 0)),
            "tokens in scope": int(counts.tokens.sum()),
            "tokens selected": int(taken["sum"].get(value, 0)),
            "share of tokens selected": float(taken["sum"].get(value, 0) / max(counts.tokens.sum(), 1)),
        }
        for value, counts in scores.histogram.slices.items()
    ]
    table = pd.DataFrame(rows).sort_values("tokens selected", ascending=False, kind="stable").head(40)
    return [Section(f"By {name}", [Table(table)])]


def _duplicates(selection: Snapshot) -> pd.DataFrame:
    """Read the table of near-duplicates: `id` and `kept_id`."""
    return read_parquet(join(selection.url, DUPLICATES)).to_pandas()


def selection_report(selection: Snapshot, scores: Scores, corpus: Snapshot, request: SelectionRequest) -> Report:
    """Return the report, which is shown as a page and as a Deck. Its bytes depend on the selection only."""
    given, manifest = selection.manifest.provenance, selection.manifest
    taken = np.concatenate([batch[0].to_numpy() for batch in selection.batches(["corpus_row"])])
    ends = []
    duplicates = _duplicates(selection)
    for title, places in _ends(scores, taken, set(duplicates["id"])).items():
        rows = [place.row for place in places]
        names = corpus.take(rows, "url") if "url" in corpus.manifest.schema else [place.name for place in places]
        items = [
            TextItem(f"score {place.score:.3f}, expected label {place.expected:.2f}", str(text), str(name))
            for place, text, name in zip(places, corpus.take(rows), names, strict=True)
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
                    _distribution(selection, scores),
                ],
            ),
            *_cascade(scores, float(given["cut"])),
            *_backend(scores, float(given["cut"])),
            Section("Not selected", [*_dropped(scores), *_fallen(duplicates)]),
            *_slices(selection, corpus, scores),
            *ends,
            Section(
                "Lineage",
                [Table(pd.DataFrame([{"": name, " ": str(given[name])} for name in ("corpus", "model", "scores")]))],
            ),
        ],
    )
