"""Quality bins: token-weighted quantiles of a corpus, absolute once made, as a file that the next corpus uses again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.mixture.request import BinsOf, Join, MixtureRequest
from assay.scoring import Bins, TokenHistogram
from assay.storage import digest_json, only_known_fields, parse_json, read_bytes

FORMAT = 1
WHOLE = ""
"""Name of the whole corpus among the topics. A corpus without topics has this one alone."""
IntArray = NDArray[np.int64]


@only_known_fields
@dataclass(frozen=True)
class RankedScore:
    """One of the scores that rank, and its token-weighted ranks where several are joined."""

    name: str
    """Name that the user gave it."""
    model: str
    """Digest of the model, or of the column."""
    rubric: str
    low: float
    high: float
    """Ends of the 2^16 equal bins in which its scores were counted."""
    places: tuple[int, ...] = ()
    """Bins at which the rank is known. Between them it is interpolated. Empty for a score that ranks alone."""
    ranks: tuple[float, ...] = ()
    """Share of the tokens with a lower score, half of those of the bin itself included."""

    def rank(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rank of each score, shape (n,). A higher score has no lower rank."""
        return np.interp(Bins(self.low, self.high).of(scores), self.places, self.ranks)


@only_known_fields
@dataclass(frozen=True)
class QualityBins:
    """Bins of quality, and the corpus that they were made of."""

    corpus: str
    """Version of the corpus that the bins were made of."""
    scores: tuple[RankedScore, ...]
    join: Join
    weights: tuple[float, ...]
    """Weights of a mean of ranks; empty otherwise."""
    low: float
    high: float
    """Ends of the axis of quality: the score itself, or the joined rank. It has 2^16 equal steps."""
    by: BinsOf
    topic: str
    """Rule of the topics."""
    wanted: int
    """Bins that were requested."""
    least: int
    """Documents that each bin had at least."""
    edges: Mapping[str, tuple[int, ...]]
    """Topic -> the first step of each bin but the lowest, rising. `""`: the whole corpus."""
    documents: Mapping[str, tuple[int, ...]]
    tokens: Mapping[str, tuple[int, ...]]
    """Topic -> tokens of each bin in the corpus that the bins were made of."""
    merged: tuple[str, ...]
    """Sentences about bins that were merged."""
    format: int = FORMAT

    @property
    def axis(self) -> Bins:
        """Return the axis of quality."""
        return Bins(self.low, self.high)

    @property
    def version(self) -> str:
        """Return the digest of the bins: equal bins have equal versions."""
        return digest_json(asdict(self))

    def edges_of(self, topic: str) -> IntArray:
        """Return the edges for a topic, shape (bins - 1,): those of the corpus if the topic has none of its own."""
        return np.array(self.edges.get(topic, self.edges[WHOLE]), np.int64)

    def starts(self, topic: str) -> list[float]:
        """Return the lowest quality of each bin but the lowest, in the unit of the axis."""
        return [self.low + int(edge) * self.axis.width for edge in self.edges_of(topic)]

    def places(self, topic: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of each bin on the scale of the curve: the share of tokens below, when the bins were made."""
        known = topic if topic in self.edges else WHOLE
        tokens = np.array(self.tokens[known], np.float64)
        ends = np.concatenate([[0.0], np.cumsum(tokens)]) / max(tokens.sum(), 1)
        return ends[:-1], ends[1:]

    def counts(self, topic: str, histogram: TokenHistogram) -> tuple[IntArray, IntArray]:
        """Return the documents and tokens of a corpus in each bin of a topic, shape (bins,) each."""
        counts = histogram.total() if topic == WHOLE and WHOLE not in histogram.slices else histogram.slices[topic]
        edges = self.edges_of(topic)
        place = np.searchsorted(edges, counts.bins, side="right")
        documents, tokens = np.zeros(len(edges) + 1, np.int64), np.zeros(len(edges) + 1, np.int64)
        np.add.at(documents, place, counts.documents)
        np.add.at(tokens, place, counts.tokens)
        return documents, tokens

    def moved(self, histogram: TokenHistogram) -> dict[str, float]:
        """Return how far the tokens of each topic lie in other bins than when the bins were made.

        It is the share of the tokens that would have to change their bin: half the sum of the absolute differences.
        """
        found = {}
        for topic in sorted({WHOLE, *histogram.slices} & self.tokens.keys()):
            now = self.counts(topic, histogram)[1].astype(float)
            then = np.array(self.tokens[topic], float)
            found[topic] = float(np.abs(now / max(now.sum(), 1) - then / max(then.sum(), 1)).sum() / 2)
        return found

    def to_json(self) -> str:
        """Return the file: the version first, then the bins, with edges as scores for readers."""
        shown = {topic: self.starts(topic) for topic in self.edges}
        return json.dumps({"version": self.version, **asdict(self), "edges_as_quality": shown}, indent=1) + "\n"

    @classmethod
    def read(cls, place: str) -> "QualityBins":
        """Read a bins file. Raise InputError if it is none, or was changed."""
        try:
            text = read_bytes(place)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise InputError("no bins file", where=place, fix="Name the bins.json of a mixture") from error
        try:
            fields = json.loads(text)
            version, _ = fields.pop("version"), fields.pop("edges_as_quality", None)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError("this is no bins file", where=place, fix="Name the bins.json of a mixture") from error
        found = parse_json(cls, json.dumps(fields), what="this bins file", where=place)
        if found.version != version:
            raise InputError(
                "these bins are not what was written", where=place, fix="Make bins again, without the file"
            )
        return found


def make_bins(
    histogram: TokenHistogram,
    scores: Sequence[RankedScore],
    weights: tuple[float, ...],
    corpus: str,
    request: MixtureRequest,
) -> QualityBins:
    """Make bins of equal tokens of a corpus, counted by topic on the axis of quality.

    Raise InputError if no document can be in a mixture.
    """
    topics = sorted(histogram.slices) if request.bins_of == "topic" else []
    edges: dict[str, tuple[int, ...]] = {}
    merged: list[str] = []
    for topic in dict.fromkeys([WHOLE, *topics]):
        counts = histogram.total() if topic == WHOLE else histogram.slices[topic]
        if not counts.tokens.sum():
            if topic == WHOLE:
                raise InputError("no document of this corpus has a score, tokens and is in scope", where="mixture")
            continue
        found, notes = _edges(counts.bins, counts.documents, counts.tokens, request.bins, request.least_bin)
        edges[topic] = found
        merged += [f"topic {topic}: {note}" if topic else note for note in notes]
    made = QualityBins(
        corpus=corpus,
        scores=tuple(scores),
        join=request.join,
        weights=weights,
        low=float(histogram.bins.low),
        high=float(histogram.bins.high),
        by=request.bins_of,
        topic=request.topic,
        wanted=request.bins,
        least=request.least_bin,
        edges=edges,
        documents={},
        tokens={},
        merged=tuple(merged),
    )
    counted = {topic: made.counts(topic, histogram) for topic in sorted({WHOLE, *histogram.slices})}
    fields = {
        name: {topic: tuple(map(int, pair[at])) for topic, pair in counted.items()}
        for at, name in enumerate(("documents", "tokens"))
    }
    return QualityBins(**{**_shallow(made), **fields})


def _shallow(bins: QualityBins) -> dict[str, Any]:
    return {name: getattr(bins, name) for name in bins.__dataclass_fields__}


def _edges(
    places: IntArray, documents: IntArray, tokens: IntArray, wanted: int, least: int
) -> tuple[tuple[int, ...], list[str]]:
    """Return the first step of each bin but the lowest, and sentences about bins that were merged.

    Documents of one step of the axis stay together. So many equal scores leave fewer bins.
    """
    below = np.cumsum(tokens)
    aims = below[-1] * np.arange(1, wanted) / wanted
    # The step in which a quantile falls begins a bin, unless more of its tokens are below the quantile.
    at = np.searchsorted(below, aims)
    before = np.concatenate([[0], below])[at]
    at = np.where(below[at] - aims < aims - before, at + 1, at)
    first = np.unique(at[(at > 0) & (at < len(places))])
    notes = []
    if len(first) + 1 < wanted:
        notes.append(f"equal scores leave {len(first) + 1} of {wanted} bins")
    kept: list[int] = []
    counted = np.concatenate([[0], np.cumsum(documents)])
    start, fused = 0, 0
    for edge in first.tolist():
        if counted[edge] - counted[start] >= least:
            kept.append(edge)
            start = edge
        else:
            fused += 1
    if kept and counted[-1] - counted[kept[-1]] < least:
        kept.pop()
        fused += 1
    if fused:
        notes.append(f"{fused} bins with fewer than {least:,} documents were merged into a neighbour")
    return tuple(int(places[edge]) for edge in kept), notes
