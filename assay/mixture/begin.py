"""Begin a mixture: the ranks and weights of the scores, or the bins of an earlier mixture with theirs."""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.errors import InputError
from assay.mixture.bins import QualityBins, RankedScore
from assay.mixture.learn import Learned, learn_weights
from assay.mixture.passes import counted
from assay.mixture.reading import READ, open_scores, topics_of
from assay.mixture.state import MixtureJob, MixtureState, ScorePlace
from assay.progress import say
from assay.scoring import Bins, PartFolder, Scores, TokenHistogram, read_rows
from assay.sources import open_source

KNOTS = 4_096
"""Places at which a rank is written down. Between them it is interpolated."""


def begin(job: MixtureJob) -> MixtureState:
    """Return the state before the first pass; or before the second, if footers have the counts of the first.

    Raise InputError if the scores are of another corpus, if a bins file is of other scores, or as `solve`.
    """
    scores, request = open_scores(job), job.request
    request.budget  # noqa: B018  # raises if it is missing
    bins, learned = None, None
    if request.bins_file:
        bins = QualityBins.read(request.bins_file)
        _require_same(bins, scores, job)
        ranked, weights, (low, high) = bins.scores, bins.weights, (bins.low, bins.high)
    else:
        ranked = tuple(
            _ranked(each, place, alone=len(scores) == 1) for each, place in zip(scores, job.scores, strict=True)
        )
        weights = request.weights
        if request.labels:
            learned = _learned(job, ranked)
            weights = learned.weights
            say(learned.sentence())
        low, high = (ranked[0].low, ranked[0].high) if len(ranked) == 1 else (0.0, 1.0)
    sentence = learned.sentence() if learned else ""
    state = MixtureState("count", ranked, weights, low, high, learned=sentence, bins=bins)
    known = scores[0].histogram
    if (
        len(scores) == 1
        and not (job.scores[0].rubric or request.exclude)
        and (not request.topic or scores[0].folder.plan.config.slice_by == request.topic)
        and (known.bins.low, known.bins.high) == (low, high)
    ):
        return counted(
            job, state, _by_topic(known) if request.topic else TokenHistogram(known.bins, {"": known.total()})
        )
    return state


def _by_topic(sliced: TokenHistogram) -> TokenHistogram:
    """Return the counts of the footers under the names of topics."""
    parts = [
        TokenHistogram(sliced.bins, {str(name): counts})
        for name, counts in zip(topics_of(sliced.slices), sliced.slices.values(), strict=True)
    ]
    return TokenHistogram.merge(parts)


def _require_same(bins: QualityBins, scores: Sequence[Scores], job: MixtureJob) -> None:
    made = [(each.model, each.rubric) for each in bins.scores]
    now = [(each.folder.plan.model, place.rubric) for each, place in zip(scores, job.scores, strict=True)]
    where = job.request.bins_file
    if made != now:
        raise InputError(
            f"these bins are of other models: {', '.join(each.name for each in bins.scores)}, in this order",
            where=where,
            fix="Score with the same models, or make bins again without the file",
        )
    if len(made) > 1 and (bins.join != job.request.join or (job.request.weights not in ((), bins.weights))):
        raise InputError("these bins join the scores in another way", where=where, fix=f"Give --join {bins.join}")
    if bins.topic != job.request.topic:
        raise InputError(
            f"these bins have the topic {bins.topic or 'none'!r}", where=where, fix="Give the same --topic"
        )


def _ranked(scores: Scores, place: ScorePlace, *, alone: bool) -> RankedScore:
    plan = scores.folder.plan
    axis = Bins(place.low, place.high) if place.rubric else plan.bins
    found = RankedScore(place.name, plan.model, place.rubric, float(axis.low), float(axis.high))
    if alone:
        return found
    counts = (_counted(scores.folder, place.rubric, axis) if place.rubric else scores.histogram).total()
    if not counts.tokens.sum():
        raise InputError("no document has a score and tokens, and is in scope", where=place.folder)
    middle = (np.cumsum(counts.tokens) - counts.tokens / 2) / counts.tokens.sum()
    some = np.unique(np.linspace(0, len(middle) - 1, min(KNOTS, len(middle))).round().astype(int))
    ranks = tuple(float(rank) for rank in middle[some])
    return RankedScore(
        found.name, found.model, found.rubric, found.low, found.high, tuple(map(int, counts.bins[some])), ranks
    )


def _counted(folder: PartFolder, rubric: str, axis: Bins) -> TokenHistogram:
    found = []
    for part in folder.plan.parts():
        table = read_rows(folder, part.start, part.stop, READ, rubric)
        able = table[table["reason"].isna() & table["in_scope"]]
        found.append(TokenHistogram.of(axis, able["score"].to_numpy(float), able["budget_tokens"].to_numpy(np.int64)))
    return TokenHistogram.merge(found)


def _learned(job: MixtureJob, ranked: Sequence[RankedScore]) -> Learned:
    """Learn the weights of the ranks on the labelled documents of the corpus."""
    labels = _labels(job.request.labels)
    rows: list[NDArray[np.float64]] = []
    given: list[float] = []
    folders = [PartFolder.open(place.folder) for place in job.scores]
    for part in folders[0].plan.parts():
        tables = [
            read_rows(folder, part.start, part.stop, READ, place.rubric)
            for folder, place in zip(folders, job.scores, strict=True)
        ]
        able = tables[0]["id"].isin(labels.keys()).to_numpy(bool, copy=True)
        for table in tables:
            able &= (table["reason"].isna() & table["in_scope"]).to_numpy(bool)
        values = [score.rank(table["score"].to_numpy(float)[able]) for score, table in zip(ranked, tables, strict=True)]
        rows.append(np.stack(values, axis=1))
        given += [labels[name] for name in tables[0]["id"][able]]
    return learn_weights(np.concatenate(rows), np.array(given), [score.name for score in ranked], job.request.labels)


def _labels(source: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for batch in open_source(source).batches():
        if not {"id", "label"} <= set(batch.schema.names):
            raise InputError("a labelled table has the columns id and label", where=source, fix="Rename its columns")
        try:
            labels = pc.cast(batch["label"], "float64").to_pylist()
        except (ValueError, TypeError) as error:
            raise InputError(f"a label is no number: {error}", where=source, fix="Give numbers") from error
        found.update(
            {str(name): label for name, label in zip(batch["id"].to_pylist(), labels, strict=True) if label is not None}
        )
    return found
