"""The fits of one run: models that leave a fold out, the model that is measured, and the one that ships."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.inference import Scorer
from assay.model import ModelInfo, QualityModel, new_model
from assay.progress import say
from assay.training.checkpoint import Checkpoint
from assay.training.config import TrainConfig
from assay.training.documents import LabelledTexts
from assay.training.fitted import Fitted, Record
from assay.training.learning import rows_of

SHIPS = "once more, on all {:,} documents: this model ships"
MEASURED = 0
"""Fold in the curve of the model that is measured. Models that leave a fold out count from 1."""
SHIPPED = -1
"""Fold in the curve of the model that is fitted to all labels."""
OF_A_PART = -2
"""Fold in the curve of the models of the learning curve."""


@dataclass(frozen=True)
class Given:
    """What the fits of a run have in common."""

    info: ModelInfo
    config: TrainConfig
    learned: LabelledTexts
    """Documents of the model that is measured."""
    fold: NDArray[np.int64] | None = None
    """Fold of each of these documents; None without folds."""
    whole: LabelledTexts | None = None
    """All documents, for the model that ships; None if the measured one ships."""
    tested: Sequence[Sequence[str]] = ()
    """Texts of the test part of each rubric, for the learning curve; empty without one."""


@dataclass(frozen=True)
class Fits:
    """The fitted models of a run."""

    measured: Fitted[Any]
    shipped: Fitted[Any] | None
    """None if the measured model ships."""
    held_out: NDArray[np.float64]
    """Score of each document by the model that left its fold out, shape (n,); NaN without folds."""
    folds: list[Record]
    """Records of the models that left a fold out, with `fold`."""
    points: "list[Point]"
    """Models of the learning curve, the measured one left out."""

    def records(self) -> list[Record]:
        """Return the records of all fits, in their order; with `fold`, if there is more than one fit."""
        if not self.folds and self.shipped is None and not self.points:
            return self.measured.history
        parts = [{**record, "fold": OF_A_PART} for point in self.points for record in point.history]
        own = [{**record, "fold": MEASURED} for record in self.measured.history]
        last = [{**record, "fold": SHIPPED} for record in self.shipped.history] if self.shipped else []
        return [*self.folds, *parts, *own, *last]


@dataclass(frozen=True)
class Point:
    """A model of the learning curve."""

    documents: int
    scores: list[NDArray[np.float64]]
    """Scores of the test part of each rubric."""
    history: list[Record]


_Fit = Callable[[LabelledTexts, str], Fitted[Any]]
"""Fits one model to documents; the text names it in the checkpoint."""


def fit_in_one_step(given: Given) -> Fits:
    """Fit lexical models or heads. Nothing is kept of a run that is killed."""
    # Imported here, as torch below: the names and the curve of a run need no scikit-learn.
    from assay.training.head import fit_head
    from assay.training.lexical import fit_lexical

    fit: Callable[..., Fitted[Any]] = fit_lexical if given.config.kind == "lexical" else fit_head

    def of(documents: LabelledTexts, _: str) -> Fitted[Any]:
        return fit(documents.texts, documents.labels, given.info, weights=documents.weights, seed=given.config.seed)

    held_out, folds = _fit_folds(given, of, np.full(len(given.learned.texts), np.nan), [], lambda *_: None)
    points = _fit_parts(given, of, [], lambda _: None)
    measured = of(given.learned, "all")
    if given.whole is None:
        return Fits(measured, None, held_out, folds, points)
    say(SHIPS.format(len(given.whole.texts)))
    return Fits(measured, of(given.whole, "refit"), held_out, folds, points)


def fit_networks(given: Given, checkpoint: Checkpoint, on_update: Callable[[Record], None] | None) -> Fits:
    """Fit the networks of a run; resume a killed run. `on_update` is called for the model that is measured alone."""
    from assay.training.processes import Processes

    # One group for all fits: a second one would meet the addresses of the first in the agent's store, and wait forever.
    with Processes():
        return _fit_networks(given, checkpoint, on_update)


def _fit_networks(given: Given, checkpoint: Checkpoint, on_update: Callable[[Record], None] | None) -> Fits:
    import torch

    from assay.training.hybrid import add_words
    from assay.training.loop import fit

    info, config = given.info, given.config
    carried = checkpoint.load_carried()

    def of(documents: LabelledTexts, stage: str) -> Fitted[QualityModel]:
        kept = replace(checkpoint, stage=stage, carried=carried)
        told = on_update if stage == "all" else None
        texts, labels, weights = documents
        fitted = fit(texts, labels, info, config, weights=weights, checkpoint=kept, on_update=told)
        return with_words(fitted, documents)

    def with_words(fitted: Fitted[QualityModel], documents: LabelledTexts) -> Fitted[QualityModel]:
        if info.kind == "encoder":
            return fitted
        return add_words(fitted, documents.texts, documents.labels, documents.weights, config.seed)

    def carry(held_out: NDArray[np.float64], records: list[Record]) -> None:
        carried.update(held_out=torch.tensor(held_out), records=records)

    held_out, folds = np.full(len(given.learned.texts), np.nan), []
    if "held_out" in carried:
        held_out, folds = carried["held_out"].numpy(), carried["records"]

    def carry_points(points: list[Point]) -> None:
        carried["points"] = [
            {"scores": [torch.tensor(score) for score in point.scores], "history": point.history} for point in points
        ]

    held_out, folds = _fit_folds(given, of, held_out, folds, carry)
    sizes = [len(rows) for rows in rows_of(given.learned.labels, config.seed)]
    points = [
        Point(size, [score.numpy() for score in kept["scores"]], kept["history"])
        for size, kept in zip(sizes, carried.get("points", []), strict=False)
    ]
    points = _fit_parts(given, of, points, carry_points)
    if given.whole is None:
        return Fits(of(given.learned, "all"), None, held_out, folds, points)
    if "measured" in carried:  # an earlier attempt has finished it
        model = new_model(info, seed=config.seed, mean=config.pooling == "mean")
        model.network.load_state_dict(carried["measured"]["network"])
        measured = with_words(Fitted(model, list(carried["measured"]["history"])), given.learned)
    else:
        measured = of(given.learned, "all")
        weights = {name: weight.cpu() for name, weight in measured.model.network.state_dict().items()}
        carried["measured"] = {"network": weights, "history": measured.history}
    say(SHIPS.format(len(given.whole.texts)))
    return Fits(measured, of(given.whole, "refit"), held_out, folds, points)


def _fit_folds(
    given: Given,
    fit: _Fit,
    held_out: NDArray[np.float64],
    folds: list[Record],
    carry: Callable[[NDArray[np.float64], list[Record]], None],
) -> tuple[NDArray[np.float64], list[Record]]:
    """Return `held_out` and `folds` of `Fits`, from those that an earlier attempt has finished.

    `carry` is called with both before each fold, and at the end.
    """
    if given.fold is None:
        return held_out, folds
    for number in range(given.config.folds):
        inside = np.flatnonzero(given.fold == number)
        if np.isfinite(held_out[inside]).all():
            continue  # an earlier attempt has finished this fold
        say(f"fold {number + 1} of {given.config.folds}")
        carry(held_out, folds)
        fitted = fit(given.learned.rows(np.flatnonzero(given.fold != number)), f"fold {number}")
        held_out[inside] = Scorer(fitted.model).read(given.learned.rows(inside).texts).score
        folds = [*folds, *({**record, "fold": number + 1} for record in fitted.history)]
    carry(held_out, folds)
    return held_out, folds


def _fit_parts(given: Given, fit: _Fit, points: list[Point], carry: Callable[[list[Point]], None]) -> list[Point]:
    """Return the models of the learning curve, after those that an earlier attempt has finished.

    `carry` is called with the finished ones after each.
    """
    if not given.tested:
        return []
    parts = rows_of(given.learned.labels, given.config.seed)
    for number, rows in enumerate(parts[len(points) :], start=len(points)):
        say(f"learning curve: {len(rows):,} of {len(given.learned.texts):,} documents")
        fitted = fit(given.learned.rows(rows), f"part {number}")
        scorer = Scorer(fitted.model)
        scores = [scorer.read(texts).scores[:, output] for output, texts in enumerate(given.tested)]
        points = [*points, Point(len(rows), scores, fitted.history)]
        carry(points)
    return points
