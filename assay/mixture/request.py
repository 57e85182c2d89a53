"""The request of a mixture: a budget of tokens, the scores that rank, the topics, and the curve of the repeats."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assay.errors import InputError
from assay.options import group, written
from assay.sources import Columns, Period

Join = Literal["max", "mean"]
Shape = Literal["power", "step"]
BinsOf = Literal["topic", "corpus"]
Materialise = Literal["", "stream", "cells"]


def _shares() -> dict[str, Any]:
    return written(tuple, many=True, metavar="TOPIC=SHARE")


@dataclass(frozen=True)
class MixtureRequest:
    """Everything that decides how often each document is in a mixture, beside the scores."""

    token_budget: int | None = None
    """Tokens of the mixture, repeats included, by the tokenizer of the first scores."""
    join: Join = "max"
    """Join of several scores, by token-weighted rank: max, or mean (weighted by `weights`)."""
    weights: tuple[float, ...] = field(
        default=(), metadata=written(lambda given: tuple(map(_number, given)), many=True)
    )
    """Weight of each score in the mean, in the order of `quality`. Without it: all alike."""
    labels: str = ""
    """Labelled table with `id` and `label`, from which the weights of the mean are learned: Parquet, JSONL or CSV."""
    bins: int = 20
    """Quality bins of equal tokens."""
    bins_of: BinsOf = "topic"
    """Population whose tokens the bins divide: each topic for itself, or the corpus, so that a bin has the same scores
    in each topic."""
    bins_file: str = ""
    """Bins file of an earlier mixture, whose bins are used as they are. Without it, bins are made."""
    least_bin: int = 50
    """Documents that a bin has at least when it is made. A smaller one is merged into its neighbour."""
    topic: str = ""
    """Column of the corpus with the topic of each document; or p_keep:RUBRIC,RUBRIC for the rubric with the highest
    p_keep, p_keep for all rubrics of the first model. Without it: one topic."""
    exclude: tuple[str, ...] = ()
    """Columns of the corpus that keep a document out where they are true, such as the marks of filters."""
    shape: Shape = "power"
    """Curve of repeats over quality: power, or step, the best documents alone, all repeated alike."""
    exponent: float = 1.0
    """Exponent of the power: 0 repeats all documents that stay alike, 1 rises in a line, more prefers the best."""
    discard: float = 0.4
    """Share of the tokens, from the lowest quality, that is left out. A step needs none."""
    max_repeat: int = 7
    """Largest number of times that a document is in the mixture."""
    topic_share: tuple[str, ...] = field(default=(), metadata=_shares())
    """Share of the budget that a topic gets."""
    topic_floor: tuple[str, ...] = field(default=(), metadata=_shares())
    """Least share of the budget of a topic without a share of its own."""
    topic_cap: tuple[str, ...] = field(default=(), metadata=_shares())
    """Largest share of the budget of a topic without a share of its own."""
    allow_short: bool = False
    """Accept a topic, or a mixture, that cannot fill its share, and spread what it lacks over the others."""
    seed: int = 0
    """Seed of the draw of documents within a cell, and of the order of the shards."""

    def __post_init__(self) -> None:
        where = "mixture"
        if self.token_budget is not None and self.token_budget < 1:
            raise InputError(f"token_budget is {self.token_budget}", where=where, fix="Give 1 or more")
        if self.bins < 1 or self.least_bin < 1 or self.max_repeat < 1:
            raise InputError("bins, least_bin or max_repeat is below 1", where=where, fix="Give 1 or more")
        if not 0 <= self.discard < 1:
            raise InputError(f"discard is {self.discard:g}", where=where, fix="Give 0 or more, below 1")
        if not 0 <= self.exponent <= 100:
            raise InputError(f"exponent is {self.exponent:g}", where=where, fix="Give 0 to 100")
        if self.weights and (self.labels or min(self.weights) < 0 or sum(self.weights) <= 0):
            raise InputError("these weights cannot be used", where=where, fix="Give weights of 0 or more, or labels")
        if (self.weights or self.labels) and self.join != "mean":
            raise InputError("weights are those of a mean", where=where, fix="Give --join mean")
        both = self.shares.keys() & (self.floors.keys() | self.caps.keys())
        if both:
            raise InputError(
                f"topic {min(both)!r} has a share, and a floor or cap", where=where, fix="Give one of them"
            )
        for name, floor in self.floors.items():
            if floor > self.caps.get(name, 1.0):
                raise InputError(f"the floor of topic {name!r} is above its cap", where=where, fix="Lower the floor")
        if (self.shares or self.floors or self.caps) and not self.topic:
            raise InputError("shares of topics without a topic", where=where, fix="Give --topic")
        for what, total in (("shares", sum(self.shares.values())), ("floors", sum(self.floors.values()))):
            if total > 1 + 1e-9:
                raise InputError(
                    f"the {what} of the topics sum to {total:.4g}", where=where, fix=f"Divide each by {total:.4g}"
                )

    @property
    def budget(self) -> int:
        """Return the budget in tokens. Raise InputError if none was given."""
        if self.token_budget is None:
            raise InputError("a mixture without a budget", where="mixture", fix="Give --token-budget")
        return self.token_budget

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of the budget of each topic that has one."""
        return _read_shares("topic_share", self.topic_share)

    @property
    def floors(self) -> dict[str, float]:
        """Return the least share of each topic that has one."""
        return _read_shares("topic_floor", self.topic_floor)

    @property
    def caps(self) -> dict[str, float]:
        """Return the largest share of each topic that has one."""
        return _read_shares("topic_cap", self.topic_cap)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def in_words(self) -> str:
        """Return the request as a phrase for reports."""
        if self.shape == "step":
            return f"{self.budget:,} tokens of the best documents, {self.max_repeat} times each"
        return (
            f"{self.budget:,} tokens, nothing of the worst {self.discard:.4g}, at most {self.max_repeat} times, "
            f"exponent {self.exponent:g}"
        )


@dataclass(frozen=True)
class MixingRequest:
    """A corpus, the scores that rank it, and the mixture."""

    source: str
    """Corpus that was scored: a snapshot, or the source that was given to `assay score`."""
    quality: tuple[str, ...] = ()
    """Scores that rank the documents: a version, alias or model folder; MODEL#RUBRIC for a further rubric; or
    column:NAME for scores from a column (`assay score --from-column`). Several are joined. Without it: champion."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    mixture: MixtureRequest = field(default_factory=MixtureRequest, metadata=group(title="mixture"))

    def __post_init__(self) -> None:
        if len(set(self.quality)) != len(self.quality):
            raise InputError("quality names one twice", where="mixture", fix="Name different scores")
        if self.mixture.weights and len(self.mixture.weights) != len(self.ranked_by):
            raise InputError(
                f"{len(self.mixture.weights)} weights for {len(self.ranked_by)} scores",
                where="mixture",
                fix="Give a weight for each",
            )

    @property
    def ranked_by(self) -> tuple[str, ...]:
        """Return the scores that rank: those that were given, or the champion's."""
        return self.quality or ("champion",)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no number", where="mixture", fix="Give numbers") from error


def _read_shares(what: str, given: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in given:
        name, sign, number = text.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1
        if not sign or not 0 <= share <= 1 or name in found:
            raise InputError(
                f"{what} {text!r} is no TOPIC=SHARE", where="mixture", fix="Give a share from 0 to 1, once"
            )
        found[name] = share
    return found
