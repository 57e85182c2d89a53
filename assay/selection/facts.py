"""What the card and the report of a selection show, counted while it is written, and merged in the order of parts."""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.scoring import Scores
from assay.storage import Snapshot, only_known_fields

SHOWN = 5
"""Documents shown at each end."""
BARS = 60
"""Bars of the distribution of scores."""
EXAMPLES, CHARACTERS = 2, 600
"""Examples of each grade, and characters of each."""
LICENCES = ("license", "licence")
TITLES = (
    "Best selected documents",
    "Last selected documents",
    "Best documents not selected",
    "Worst documents",
)
"""The ends of the ranking, by whether they were selected, and from which end."""


@only_known_fields
@dataclass(frozen=True, order=True)
class Place:
    """A document in the ranking. They compare by score, then by row."""

    score: float
    row: int
    name: str
    expected: float
    tokens: int
    text: str = field(default="", compare=False)
    shown: str = field(default="", compare=False)
    """Name in the report: its URL if the corpus has URLs, otherwise its id."""


@only_known_fields
@dataclass(frozen=True)
class Example:
    """A selected document of a grade."""

    grade: int
    id: str
    text: str
    score: float
    calibrated: float


def edges_of(scores: Scores) -> list[float]:
    """Return the edges of the bars of the distribution of scores, BARS + 1 of them."""
    total, bins = scores.histogram.total(), scores.histogram.bins
    centres = bins.low + (total.bins + 0.5) * bins.width
    return [float(edge) for edge in np.linspace(centres.min() - bins.width, centres.max() + bins.width, BARS + 1)]


@only_known_fields
@dataclass
class SelectionFacts:
    """SelectionFacts of a selection, or of some of its documents. Their size does not grow with it."""

    lowest: float = float("inf")
    """Lowest score among the documents."""
    bars: list[int] = field(default_factory=lambda: [0] * BARS)
    """Tokens of the documents in each bar."""
    examples: list[Example] = field(default_factory=list)
    """The first EXAMPLES documents of each grade."""
    licences: dict[str, int] = field(default_factory=dict)
    """Documents by licence."""
    slices: dict[str, list[int]] = field(default_factory=dict)
    """Documents and tokens by the value of the column to slice by."""
    ends: list[list[Place]] = field(default_factory=lambda: [[] for _ in TITLES])
    """Up to SHOWN documents for each of TITLES."""

    def add_rows(self, batch: pa.RecordBatch, edges: Sequence[float], slice_by: str) -> None:
        """Add selected documents, as they are written."""
        score, tokens = batch["score"].to_numpy(), batch["tokens"].to_numpy()
        if not len(score):
            return
        self.lowest = min(self.lowest, float(score.min()))
        counted = np.histogram(np.clip(score, edges[0], edges[-1]), edges, weights=tokens)[0]
        self.bars = [bar + int(more) for bar, more in zip(self.bars, counted, strict=True)]
        grades = batch["grade"].to_numpy()
        for grade in np.unique(grades).tolist():
            missing = EXAMPLES - sum(each.grade == grade for each in self.examples)
            for row in np.flatnonzero(grades == grade)[: max(missing, 0)].tolist():
                named = {name: batch[name][row].as_py() for name in ("id", "text", "score", "calibrated")}
                self.examples.append(Example(int(grade), **{**named, "text": _short(named["text"])}))
        if licence := next((name for name in LICENCES if name in batch.schema.names), None):
            for value in batch[licence].to_pylist():
                name = "not stated" if value is None else str(value)
                self.licences[name] = self.licences.get(name, 0) + 1
        if slice_by:
            grouped = pd.DataFrame({"name": [str(value) for value in batch[slice_by].to_pylist()], "tokens": tokens})
            for name, some in grouped.groupby("name")["tokens"]:
                before = self.slices.get(str(name), [0, 0])
                self.slices[str(name)] = [before[0] + len(some), before[1] + int(some.sum())]

    def add_part(self, table: pd.DataFrame, start: int, taken: NDArray[np.bool_], fallen: set[str]) -> None:
        """Add the documents of a part at both ends of the ranking. `fallen`: ids of near-duplicates, not shown."""
        table = table.assign(row=np.arange(start, start + len(table)))
        able = (table["reason"].isna() & table["in_scope"]).to_numpy(bool)
        inside, outside = table[able & taken], table[able & ~taken]
        outside = outside[~outside["id"].isin(fallen)] if fallen else outside
        for which, some in ((0, inside), (2, outside)):
            ends = pd.concat([some.nlargest(SHOWN, "score"), some.nsmallest(SHOWN, "score")])
            places = {
                Place(float(row.score), int(row.row), str(row.id), float(row.calibrated), int(row.budget_tokens))
                for row in ends.itertuples(index=False)
            }
            self.ends[which] = heapq.nlargest(SHOWN, {*self.ends[which], *places})
            self.ends[which + 1] = heapq.nsmallest(SHOWN, {*self.ends[which + 1], *places})

    def with_texts(self, corpus: Snapshot) -> "SelectionFacts":
        """Return the same with the texts of the documents at the ends, and their URLs if the corpus has any."""
        rows = sorted({place.row for places in self.ends for place in places})
        texts = dict(zip(rows, corpus.take(rows), strict=True))
        urls = dict(zip(rows, corpus.take(rows, "url"), strict=True)) if "url" in corpus.manifest.schema else {}
        ends = [
            [replace(place, text=str(texts[place.row]), shown=str(urls.get(place.row, place.name))) for place in places]
            for places in self.ends
        ]
        return replace(self, ends=ends)

    @classmethod
    def merge(cls, parts: Sequence["SelectionFacts"]) -> "SelectionFacts":
        """Return the facts of all documents together. `parts` are in the order of the corpus."""
        merged = cls(lowest=min(part.lowest for part in parts))
        merged.bars = [sum(bars) for bars in zip(*(part.bars for part in parts), strict=True)]
        licences: Counter[str] = Counter()
        for part in parts:
            licences.update(part.licences)
            for example in part.examples:
                if sum(each.grade == example.grade for each in merged.examples) < EXAMPLES:
                    merged.examples.append(example)
            for name, (documents, tokens) in part.slices.items():
                before = merged.slices.get(name, [0, 0])
                merged.slices[name] = [before[0] + documents, before[1] + tokens]
        merged.licences = dict(licences)
        for which in range(len(TITLES)):
            places = {place for part in parts for place in part.ends[which]}
            merged.ends[which] = (heapq.nsmallest if which % 2 else heapq.nlargest)(SHOWN, places)
        return merged

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[:CHARACTERS].rsplit(" ", 1)[0] + " …"
