"""Score labelled documents with a model: Predictions, with the columns of the slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from assay.errors import InputError
from assay.evaluation.checks import require_slices
from assay.inference import Scorer
from assay.language import CERTAIN, identify_language
from assay.metrics import INCLUSION, Predictions, corpus_weights
from assay.model import Calibration
from assay.storage import Snapshot


@dataclass(frozen=True)
class Predicted:
    """The predictions of a model on labelled documents."""

    predictions: pd.DataFrame
    """Predictions table, with `row` of the snapshot and the columns of the slices."""
    slice_columns: dict[str, str]
    """Column of the table that makes slices -> its name for people."""
    read: float
    """Share of the documents' tokens that the model read."""
    calibration: Calibration
    """Calibration of the model, by which the predictions were made."""


def predict(
    model: Path, snapshot: Snapshot, part: pd.DataFrame, *, rubric: str = "", slice_by: Sequence[str] = ()
) -> Predicted:
    """Score the documents of `part` (labelled, with `cluster`) by one rubric of the model, by default its main one.

    `slice_by`: columns of the snapshot. Its column `inclusion`, the probabilities of `assay draw`, becomes one of the
    predictions: figures then hold for the corpus. Raise InputError if the model was never calibrated or has no such
    rubric, if `part` is empty, if there is no such column, or if a value of `inclusion` is no probability.
    """
    if part.empty:
        raise InputError(
            "no document to evaluate on", where=snapshot.sources, fix="Give labelled documents the model has not seen"
        )
    require_slices(snapshot, slice_by)
    scorer = Scorer.load(model, rubric=rubric)
    if scorer.model.info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    texts = snapshot.take(part["row"])
    scored = scorer.score(texts, progress="scoring the test part")
    table = pd.concat([part[["id", "row", "cluster", "label"]].reset_index(drop=True), scored], axis=1)
    table["length"] = _length_thirds(texts)
    table["language"] = [_language(text) for text in texts]
    columns = {"length": "length", "language": "language"}
    if INCLUSION in snapshot.manifest.schema:
        table[INCLUSION] = snapshot.take(part["row"], INCLUSION)
        corpus_weights(table)  # refuses what is no probability before anything is measured
    for place, name in enumerate(slice_by):
        # A column of the snapshot may be called like one of Predictions, such as `score`.
        table[f"slice_{place}"] = snapshot.take(part["row"], name)
        columns[f"slice_{place}"] = name
    # Weighted by tokens, since `read` of a document is a share. Empty texts have no tokens: max avoids 0 / 0.
    read = float((scored["tokens"] * scored["read"]).sum() / max(scored["tokens"].sum(), 1))
    return Predicted(Predictions.validate(table), columns, read, scorer.model.info.calibration)


def _language(text: str) -> str:
    found = identify_language(text)
    # A short text or a table would otherwise be counted as some rare language.
    return found.code if found.probability >= CERTAIN else "not certain"


def _length_thirds(texts: list[str]) -> pd.Series:
    lengths = pd.Series([len(text) for text in texts])
    low, high = lengths.quantile([1 / 3, 2 / 3])
    names = [f"up to {low:,.0f} characters", f"to {high:,.0f} characters", "longer"]
    return pd.Series(pd.Categorical.from_codes((lengths > low).astype(int) + (lengths > high), names)).astype(str)
