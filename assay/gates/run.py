"""Run all gates on one model, with the texts from a snapshot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from assay.errors import InputError
from assay.gates.counterfactuals import Reader, keywords, measure_counterfactuals
from assay.gates.leak import LeakLimits, leak_verdict
from assay.gates.limits import GateLimits
from assay.gates.perturbations import generator_of
from assay.gates.shortcuts import measure_shortcuts
from assay.gates.split_comparison import compare_splits
from assay.gates.straddling import find_straddling
from assay.gates.verdict import Verdict
from assay.inference import Scorer
from assay.labels import join_units, part_of, read_held_out, unseen_parts
from assay.rubric import Rubric
from assay.storage import Snapshot


def run_gates(
    model: Path | Reader,
    snapshot: Snapshot,
    documents: pd.DataFrame,
    assignment: pd.DataFrame,
    predictions: pd.DataFrame,
    rubric: Rubric,
    *,
    columns: Sequence[str] = (),
    limits: GateLimits | None = None,
    seed: int = 0,
) -> list[Verdict]:
    """Return the verdicts of all gates on one rubric of a calibrated model.

    `documents` (LabelledDocument) and `assignment` (SplitAssignment): those of its training and measurement.
    `predictions`: its Predictions of the test part, with `row`. `columns` of the snapshot: source, page kind and the
    like. Keywords come from train, and the changed texts from the parts that did not train the model: calibration and
    test, or test alone if it was cross-fitted. Raise InputError if the folder has no calibrated model, or the snapshot
    no such column.
    """
    reader, limits = _reader(model, rubric), limits or GateLimits()
    shortcuts = _shortcuts(snapshot, predictions, columns, limits, seed)
    train = part_of(documents, assignment, "train")
    cross_fitted = isinstance(model, Path) and bool(read_held_out(model))
    unseen = [part_of(documents, assignment, name) for name in unseen_parts(cross_fitted=cross_fitted)]
    changed = pd.concat(unseen, ignore_index=True)
    counterfactuals = measure_counterfactuals(
        reader,
        changed,
        snapshot.take(changed["row"]),
        keywords(snapshot.take(train["row"]), train["label"].tolist(), rubric.threshold),
        rubric.threshold,
        documents=limits.counterfactuals.documents,
        seed=seed,
    )
    return [
        shortcuts,
        counterfactuals.verdict(limits.counterfactuals),
        _leak(snapshot, documents, assignment, predictions, rubric, limits.leak, seed),
    ]


def run_gates_elsewhere(
    model: Path | Reader,
    snapshot: Snapshot,
    predictions: pd.DataFrame,
    rubric: Rubric,
    *,
    columns: Sequence[str] = (),
    limits: GateLimits | None = None,
    seed: int = 0,
) -> list[Verdict]:
    """Return the verdicts on shortcuts and counterfactuals of a finished model, on documents that did not fit it.

    `predictions`: its Predictions of these documents, with `row`. For the leak gate see `leak_elsewhere`. Raise
    InputError as `run_gates` does.
    """
    reader, limits = _reader(model, rubric), limits or GateLimits()
    texts = snapshot.take(predictions["row"])
    # The texts that trained the model are not in its folder. So one half of the clusters gives the keywords, and only
    # documents of the other half are stuffed with them.
    first = predictions.groupby("cluster")["id"].transform("min")
    gives = np.array([generator_of(identity, seed, "keywords").random() < 0.5 for identity in first])
    words = keywords(
        [text for text, giving in zip(texts, gives, strict=True) if giving],
        predictions.loc[gives, "label"].tolist(),
        rubric.threshold,
    )
    counterfactuals = measure_counterfactuals(
        reader,
        predictions,
        texts,
        words,
        rubric.threshold,
        documents=limits.counterfactuals.documents,
        stuffable=~gives,
        source=f"{gives.sum()} of these documents, which are not stuffed themselves",
        seed=seed,
    )
    return [
        _shortcuts(snapshot, predictions, columns, limits, seed),
        counterfactuals.verdict(limits.counterfactuals),
    ]


def _reader(model: Path | Reader, rubric: Rubric) -> Reader:
    reader = Scorer.load(model, rubric=rubric.name) if isinstance(model, Path) else model
    if isinstance(reader, Scorer) and reader.model.info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    return reader


def _shortcuts(
    snapshot: Snapshot, predictions: pd.DataFrame, columns: Sequence[str], limits: GateLimits, seed: int
) -> Verdict:
    unknown = [name for name in columns if name not in snapshot.manifest.schema]
    if unknown:
        names = ", ".join(snapshot.manifest.schema)
        raise InputError(
            f"no column {unknown[0]!r} for the shortcut gate", where=snapshot.url, fix=f"Name one of: {names}"
        )
    measured = measure_shortcuts(
        predictions,
        snapshot.take(predictions["row"]),
        columns={name: snapshot.take(predictions["row"], name) for name in columns},
        seed=seed,
    )
    return measured.verdict(limits.shortcuts)


def _leak(
    snapshot: Snapshot,
    documents: pd.DataFrame,
    assignment: pd.DataFrame,
    predictions: pd.DataFrame,
    rubric: Rubric,
    limits: LeakLimits,
    seed: int,
) -> Verdict:
    table = documents.merge(assignment, on="id", validate="one_to_one").sort_values("row", ignore_index=True)
    texts, parts = snapshot.take(table["row"]), table["part"].tolist()
    straddling = find_straddling(table["id"].tolist(), texts, parts)
    # The split also keeps groups together, such as the versions of an article, which are not near-duplicates.
    units = join_units(straddling.clusters, table["cluster"].tolist())
    try:
        comparison = compare_splits(
            table["id"].tolist(),
            texts,
            table["label"].to_numpy(),
            parts,
            units,
            rubric,
            copies=table["copies"].to_numpy(),
            seed=seed,
        )
    except InputError:  # too few documents to calibrate the cheap model, although just enough for the model itself
        comparison = None
    return leak_verdict(straddling, comparison, predictions, rubric, limits)


def refusals(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the sentence of each gate that refuses. A model with a refusal is promoted only by a person's decision."""
    return [verdict.sentence() for verdict in verdicts if verdict.refused]
