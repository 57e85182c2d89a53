"""Combine the answers of judges: a soft label of each document, its uncertainty, and its weight in training.

The model is that of `graded.py`: a continuous quality, and for each judge a slope, thresholds and an error of its own
about each document. Dawid and Skene ("Maximum likelihood estimation of observer error-rates", 1979) give each judge a
free table of confusion, 30 numbers on a scale of six grades, which few answers cannot fill and which forgets that 4 is
nearer to 5 than to 0. Here a judge has seven numbers. Their latent class also makes one of two grades certain where a
judge wavers between them. Repeats of one judge share its error about the document, so that five repeats do not outvote
two other judges.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.annotation.graded import Graded, fit_graded
from assay.errors import InputError

FloatArray = NDArray[np.float64]
COLUMNS = ("id", "judge", "repeat", "grade")
MOST_GRADES = 20
"""Most grades that are told apart. Of longer scales, neighbouring answers are joined."""
LEAST_SHARE = 0.02
"""Share in the labels below which a judge tells next to nothing, such as one that answers always alike."""
LEAST_WEIGHT = 0.01
"""Training refuses a weight of 0."""


@dataclass(frozen=True)
class JudgeNoise:
    """How one judge answers."""

    judge: str
    answers: int
    """Valid answers."""
    bias: float
    """Mean of its expected answer minus the label, over the documents of the set, in grades."""
    noise: float
    """Standard deviation of its answer to a document around its expected answer, in grades."""
    reliability: float
    """Share of the variance behind one answer that is the documents' quality; 0 for answers at random."""
    share: float
    """Share of the judge in the level of the labels, by the information in one of its answers."""


@dataclass(frozen=True)
class Consensus:
    """Labels made of the answers of judges.

    Estimand of a label: the answer to expect of the judges, weighted by the information in their answers, or of the
    reference judge. Errors that all judges share are in it. The uncertainty is that of a document, as if the judges'
    parameters were known.
    """

    table: pd.DataFrame
    """`id`, `label`, `uncertainty`, `weight`, one row a document with a valid answer, by id."""
    judges: list[JudgeNoise]
    """By name."""
    reliability: float
    """Share of the variance of the quality, in labels, that the labels keep: 1 - mean uncertainty² / variance."""
    assumed: bool
    """True if no document has two answers: labels are the answers, and uncertainty is that of the prior."""

    @property
    def ceiling(self) -> float:
        """Return the largest correlation that a score can have with these labels: the root of the reliability."""
        return float(np.sqrt(self.reliability))


def combine(answers: pd.DataFrame, low: int, high: int, *, reference: str = "") -> pd.DataFrame:
    """Return `id`, `label`, `uncertainty` and `weight` of each document with a valid answer, by id.

    `answers`: `id`, `judge`, `repeat` and `grade`, NaN where there is no valid answer. `label`: posterior mean, on the
    level of all judges or of the judge `reference`; the grade itself where all judges that tell something answered with
    one grade. `uncertainty`: posterior standard deviation, in grades. `weight`: 1 - uncertainty² / variance of the
    quality, at least 0.01: the share of what is unknown of a document that its answers remove. Raise InputError as
    `combine_answers` does.
    """
    return combine_answers(answers, low, high, reference=reference).table


def combine_answers(answers: pd.DataFrame, low: int, high: int, *, reference: str = "") -> Consensus:
    """Combine the answers, and return the labels with what was found of each judge.

    If no document has two answers, nothing shows their noise: the label is the answer. Raise InputError for a missing
    column, an answer outside `low` to `high`, two answers with one id, judge and repeat, an unknown `reference`, and if
    there is no valid answer.
    """
    known = require_answers(answers, low, high)
    judges = sorted(known["judge"].unique())
    if reference and reference not in judges:
        raise InputError(
            f"no answer by the judge {reference!r}", where="reference judge", fix=f"Name one of: {', '.join(judges)}"
        )
    ids, document = np.unique(known["id"].to_numpy(str), return_inverse=True)
    grade, values = _grades(known["grade"].to_numpy(float))
    if len(values) == 1:
        return _constant(ids, known, judges, float(values[0]))
    judge = pd.Categorical(known["judge"], judges).codes
    counts = np.zeros((len(ids), len(judges), len(values)), np.int64)
    np.add.at(counts, (document, judge, grade), 1)
    flat, place, times = np.unique(counts.reshape(len(ids), -1), axis=0, return_inverse=True, return_counts=True)
    answered = counts.sum(axis=2)
    # The judge's own error about a document differs from the document's quality only where others answered, too.
    own = (answered > 1).any(axis=0) & ((answered > 0).sum(axis=1) > 1).any()
    model = fit_graded(flat.reshape(-1, len(judges), len(values)), times, own)
    single = bool(answered.sum(axis=1).max() == 1)
    found = _consensus(model, ids, place.ravel(), judges, answered, values, reference, known if single else None)
    if reference:
        return found
    # All judges gave one grade: the mean of the posterior lies towards the others, below a threshold at that grade.
    telling = np.array([judge.share > LEAST_SHARE for judge in found.judges])
    given = counts[:, telling].sum(axis=1) > 0
    agreed = (answered[:, telling] > 0).all(axis=1) & (given.sum(axis=1) == 1)
    found.table.loc[agreed, "label"] = values[given[agreed].argmax(axis=1)]
    return found


def _consensus(
    model: Graded,
    ids: NDArray[np.str_],
    place: NDArray[np.int64],
    judges: list[str],
    answered: NDArray[np.int64],
    values: FloatArray,
    reference: str,
    alone: pd.DataFrame | None,
) -> Consensus:
    """Return the labels. `alone`: the answers, if each document has one."""
    expected = np.stack([values @ judge.chance for judge in model.judges])
    share = np.array([judge.information for judge in model.judges])
    if reference:
        share = np.array([float(name == reference) for name in judges])
    share = share / share.sum()
    level = share @ expected
    posterior = model.posterior
    mean = posterior @ level
    spread = np.sqrt(np.maximum(posterior @ level**2 - mean**2, 0))
    label, uncertainty = mean[place], spread[place]
    noise = float((uncertainty**2).mean())
    variance = float(label.var()) + noise
    quality = posterior[place].mean(axis=0)
    if alone is not None:
        label = alone.sort_values("id")["grade"].to_numpy(float)
    found = []
    for number, (name, judge) in enumerate(zip(judges, model.judges, strict=True)):
        around = values**2 @ judge.chance - expected[number] ** 2
        found.append(
            JudgeNoise(
                judge=str(name),
                answers=int(answered[:, number].sum()),
                bias=float(quality @ (expected[number] - level)),
                noise=float(np.sqrt(quality @ around)),
                reliability=judge.reliability,
                share=float(share[number]),
            )
        )
    weight = np.clip(1 - uncertainty**2 / max(variance, 1e-12), LEAST_WEIGHT, 1)
    # Rounded: the order of the judges would show in the last digits.
    table = pd.DataFrame({"id": ids, "label": label, "uncertainty": uncertainty, "weight": weight}).round(6)
    return Consensus(table, found, float(1 - noise / max(variance, 1e-12)), alone is not None)


def _constant(ids: NDArray[np.str_], known: pd.DataFrame, judges: list[str], value: float) -> Consensus:
    """Return what is known where all answers are equal: nothing of the judges."""
    counts = known["judge"].value_counts()
    found = [JudgeNoise(str(name), int(counts[name]), 0.0, 0.0, 0.0, 1 / len(judges)) for name in judges]
    table = pd.DataFrame({"id": ids, "label": value, "uncertainty": 0.0, "weight": 1.0})
    return Consensus(table, found, 0.0, True)


def require_answers(answers: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    """Return the valid answers. Raise InputError as `combine_answers` does."""
    where = "answers"
    missing = [name for name in COLUMNS if name not in answers]
    if missing:
        raise InputError(f"no column {missing[0]!r}", where=where, fix=f"Give the columns {', '.join(COLUMNS)}")
    known = answers.loc[np.isfinite(answers["grade"].astype(float)), list(COLUMNS)].astype({"id": str, "judge": str})
    if known.empty:
        raise InputError("no valid answer", where=where, fix="Ask a judge again, or another one")
    outside = ~known["grade"].astype(float).between(low, high)
    if outside.any():
        first = known[outside].iloc[0]
        raise InputError(
            f"{first['judge']} answered {first['grade']:g} to document {first['id']!r}, outside {low:g} to {high:g}",
            where=where,
            fix="Count it as no valid answer, or name the rubric's scale",
        )
    twice = known.duplicated(["id", "judge", "repeat"])
    if twice.any():
        first = known[twice].iloc[0]
        raise InputError(
            f"two answers to document {first['id']!r} by {first['judge']}, repeat {first['repeat']}",
            where=where,
            fix="Number the repeats of a judge",
        )
    return known.reset_index(drop=True)


def _grades(given: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the number of each answer's grade, and the answer that each grade stands for, rising."""
    values, place = np.unique(given, return_inverse=True)
    if len(values) <= MOST_GRADES:
        return place, values
    order = (np.searchsorted(np.sort(given), values, side="right") - 1) * MOST_GRADES // len(given)
    _, joined = np.unique(order, return_inverse=True)
    place = joined[place]
    return place, np.bincount(place, given) / np.bincount(place)
