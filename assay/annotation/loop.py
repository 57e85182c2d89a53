"""Label, train, choose, label: rounds of few labels each, until more of them are not worth their calls.

A sample with known probabilities is drawn first, and measures each round for the whole corpus. Training documents are
drawn from the rest, after the scores of the round before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from assay.annotation.distance import distance_from
from assay.annotation.draw import DrawConfig, draw_documents
from assay.annotation.raters import COLUMNS, combine
from assay.annotation.state import MEASURED, TRAIN, LoopState, Point
from assay.errors import InputError
from assay.metrics import INCLUSION, bootstrap_figures, corpus_weights, rank_correlation
from assay.progress import say

FloatArray = NDArray[np.float64]
Fit = Callable[[pd.DataFrame], Callable[[Sequence[str]], pd.DataFrame]]
"""Labelled documents (`id`, `text`, `label`, `weight`) -> a function of texts that returns `score`, and `p_keep` if it
is known."""
LEAST_POINTS = 3
"""Points of a curve by which the loop may stop: two are a line whatever the noise."""
LEAST_DOCUMENTS = 20
"""Documents of a round. Fewer would not move the model."""


@dataclass(frozen=True)
class LoopConfig:
    """The rounds of a labelling, and when they end."""

    measured: int = 300
    """Documents that measure every round. They are never trained on."""
    first: int = 200
    """Training documents of the first round."""
    growth: float = 2.0
    """Training documents after a round, as a multiple of those before it."""
    rounds: int = 5
    """Rounds at most."""
    calls: int = 5_000
    """Answers of judges at most, with those that are not valid."""
    answers_each: int = 1
    """Answers that a document gets, over all judges and repeats."""
    least_gain: float = 0.01
    """Gain of Spearman by twice the labels, below which the loop ends. It is read off a line through the last three
    points."""
    draw: DrawConfig = field(default=DrawConfig())
    """What the draws aim at. Their sizes are those of the rounds."""

    def __post_init__(self) -> None:
        for name, least in (("measured", 50), ("first", LEAST_DOCUMENTS), ("rounds", 1), ("answers_each", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}", where="loop", fix=f"Give {least} or more")
        if self.growth <= 1:
            raise InputError(f"growth is {self.growth:g}", where="loop", fix="Give more than 1")
        need = (self.measured + self.first) * self.answers_each
        if need > self.calls:
            raise InputError(
                f"the first round takes {need:,} calls, and the budget is {self.calls:,}",
                where="loop",
                fix="Raise calls, or lower measured, first or answers_each",
            )


def begin(documents: pd.DataFrame, config: LoopConfig) -> LoopState:
    """Draw the sample that measures, and the first documents to train on.

    `documents`: `id`, `text`, and as far as they are known the columns of `draw_documents` and `cluster`, of which no
    training document shares one with the sample. Raise InputError if too few documents are given.
    """
    if len(documents) < config.measured + config.first:
        raise InputError(
            f"{len(documents):,} documents for {config.measured:,} that measure and {config.first:,} to train on",
            where="loop",
            fix="Give more documents, or lower measured and first",
        )
    table = _with_length(documents)
    measured = draw_documents(table, replace(config.draw, documents=config.measured))
    chosen = pd.DataFrame({"id": measured["id"], "part": MEASURED, "round": 0, INCLUSION: measured[INCLUSION]})
    state = LoopState(chosen, pd.DataFrame(columns=list(COLUMNS)).astype({"grade": float}), pd.DataFrame(), [])
    return _choose(state, table, config.first, config)


def to_ask(state: LoopState, documents: pd.DataFrame) -> pd.DataFrame:
    """Return `id` and `text` of the chosen documents that no judge was asked about."""
    asked = set(state.answers["id"])
    wanted = state.chosen.loc[~state.chosen["id"].isin(asked), "id"]
    return documents.set_index("id").loc[wanted, ["text"]].reset_index()


def take_answers(state: LoopState, asked: pd.DataFrame, answers: pd.DataFrame) -> LoopState:
    """Return the state with the answers of a round. Raise InputError if one is missing, or is of another document."""
    given, wanted = set(answers["id"]), set(asked["id"])
    if given != wanted:
        wrong = sorted(given ^ wanted)[0]
        raise InputError(
            f"{'no answer' if wrong in wanted else 'an answer that was not asked for'}, document {wrong!r}",
            where="judge",
            fix="Return a row for each document, with no grade where there is no valid answer",
        )
    tables = [table for table in (state.answers, answers[list(COLUMNS)]) if len(table)]
    return replace(state, answers=pd.concat(tables, ignore_index=True))


def measure_and_choose(
    state: LoopState, documents: pd.DataFrame, fit: Fit, low: int, high: int, config: LoopConfig
) -> LoopState:
    """Fit a model to the labels, measure it on the sample, and draw the next documents, or end the loop.

    Raise InputError as `combine` does, and if fewer than 20 training documents have a valid answer.
    """
    labels = combine(state.answers, low, high).set_index("id")
    by_id = documents.set_index("id")
    train = state.chosen.loc[(state.chosen["part"] == TRAIN) & state.chosen["id"].isin(labels.index), "id"]
    if len(train) < LEAST_DOCUMENTS:
        raise InputError(
            f"{len(train)} training documents have a valid answer",
            where="judge",
            fix=f"At least {LEAST_DOCUMENTS} are needed; look at the judge's errors",
        )
    given = labels.loc[train, ["label", "weight"]].assign(text=by_id.loc[train, "text"]).reset_index(names="id")
    score = fit(given[["id", "text", "label", "weight"]])
    measured = state.chosen[state.chosen["part"] == MEASURED]
    of_sample = score(by_id.loc[measured["id"], "text"].tolist())["score"].to_numpy(float)
    column = pd.Series(of_sample, measured["id"].to_numpy(), name=str(len(train)))
    scores = pd.concat([state.scores, column], axis=1)
    point = _point(state, scores, labels["label"], by_id)
    say(point.sentence())
    state = replace(state, scores=scores, points=[*state.points, point])
    calls = config.calls - len(state.answers)
    target = round(config.first * config.growth ** len(state.points))
    left = _left(state, documents)
    more = min(target - int((state.chosen["part"] == TRAIN).sum()), calls // config.answers_each, len(left))
    if reason := _reason(state, more, config, len(left)):
        say(reason)
        return replace(state, stopped=reason)
    table = _with_length(left).reset_index(drop=True)
    said = score(table["text"].tolist())
    for name in ("score", "p_keep"):
        if name in said:
            table[name] = said[name].to_numpy(float)
    if config.draw.new:
        table["distance"] = distance_from(table["text"].tolist(), by_id.loc[state.chosen["id"], "text"].tolist())
    return _choose(state, table, more, config)


def _with_length(documents: pd.DataFrame) -> pd.DataFrame:
    return documents if "length" in documents else documents.assign(length=documents["text"].str.len())


def _left(state: LoopState, documents: pd.DataFrame) -> pd.DataFrame:
    """Return the documents that may be trained on and are not chosen."""
    left = documents[~documents["id"].isin(state.chosen["id"])]
    if "cluster" not in left:
        return left
    measured = state.chosen.loc[state.chosen["part"] == MEASURED, "id"]
    return left[~left["cluster"].isin(documents.loc[documents["id"].isin(measured), "cluster"])]


def _choose(state: LoopState, documents: pd.DataFrame, count: int, config: LoopConfig) -> LoopState:
    number = len(state.points)
    drawn = draw_documents(
        _left(state, documents), replace(config.draw, documents=count, seed=config.draw.seed + 1 + number)
    )
    more = pd.DataFrame({"id": drawn["id"], "part": TRAIN, "round": number, INCLUSION: drawn[INCLUSION]})
    return replace(state, chosen=pd.concat([state.chosen, more], ignore_index=True))


def _point(state: LoopState, scores: pd.DataFrame, labels: pd.Series, by_id: pd.DataFrame) -> Point:
    """Measure the last model, and what twice the labels would give by a line through the last three."""
    known = scores.index.intersection(labels.index)
    inclusion = state.chosen.set_index("id").loc[known, [INCLUSION]]
    stands_for = corpus_weights(inclusion)
    label = np.asarray(rankdata(labels.loc[known], "dense"), float)
    ranks = [np.asarray(rankdata(scores.loc[known, name], "dense"), float) for name in scores]
    unit = by_id.loc[known, "cluster"].to_numpy() if "cluster" in by_id else np.arange(len(known))
    last = ranks[-LEAST_POINTS:]
    x = np.log2([float(name) for name in scores.columns[-LEAST_POINTS:]])
    slope = (x - x.mean()) / max(((x - x.mean()) ** 2).sum(), 1e-12)

    def figures(weight: FloatArray) -> dict[str, float]:
        values = [float(rank_correlation(rank, label, weight * stands_for)) for rank in last]
        return {"spearman": values[-1], "gain": float(slope @ values)}

    found = bootstrap_figures(figures, unit, resamples=500)
    gain = found["gain"] if len(last) == LEAST_POINTS else None
    return Point(int(scores.columns[-1]), len(state.answers), found["spearman"], gain)


def _reason(state: LoopState, more: int, config: LoopConfig, left: int) -> str:
    """Return why the loop ends; empty if it goes on."""
    gain = state.points[-1].gain
    if gain is not None and gain.value is not None and gain.value < config.least_gain:
        return f"Stopped: twice the labels would give {gain.value:+.3f} of Spearman, less than {config.least_gain:g}."
    if len(state.points) >= config.rounds:
        return f"Stopped: {config.rounds} rounds are done."
    if more < LEAST_DOCUMENTS:
        spent = f"{len(state.answers):,} of {config.calls:,} calls are spent"
        return f"Stopped: {spent}." if left >= LEAST_DOCUMENTS else "Stopped: no document is left."
    return ""
