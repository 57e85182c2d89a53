"""From a trained model to one whose scores mean something: maps fitted on scores of documents it did not learn from."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd

from assay.errors import InputError
from assay.inference import Scorer, check_golden, write_golden
from assay.labels import fitting_part, part_of, read_held_out
from assay.model import AS_LABELLED, Calibration, KeepTarget, ModelInfo
from assay.progress import say
from assay.storage import Snapshot, staged_folder


def calibrate(
    model: Path,
    snapshot: Snapshot,
    documents: pd.DataFrame,
    assignment: pd.DataFrame,
    output: Path,
    *,
    keep: KeepTarget = AS_LABELLED,
    progress: bool = True,
) -> ModelInfo:
    """Copy the model folder to the new folder `output`, with calibration and golden documents.

    `documents` (LabelledDocument) and `assignment` (SplitAssignment) are those it was trained with. A model that was
    cross-fitted is calibrated on the held-out scores of all that it learned from, others on the calibration part.
    The golden documents come from that part too: whoever checks them learns nothing of the test. Raises InputError
    where the documents are too few, are of one class only, or cannot promise the target of `keep`.
    """
    scorer = Scorer.load(model)
    rubric = scorer.model.info.rubric
    part = part_of(documents, assignment, "calibration")
    texts = snapshot.take(part["row"])
    if held_out := read_held_out(model):
        known = fitting_part(documents, assignment, cross_fitted=True)
        if set(known["id"]) != set(held_out):
            raise InputError("it was cross-fitted on other documents", where=str(model), fix="Train it again")
        scores, labels = known["id"].map(held_out).to_numpy(), known["label"].to_numpy()
    else:
        scores = scorer.score(texts, progress="scoring the calibration part" if progress else "")["score"].to_numpy()
        labels = part["label"].to_numpy()
    fitted = Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold, keep=keep)
    info = replace(scorer.model.info, calibration=fitted)
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        info.write(folder)
        write_golden(scorer, part["id"].tolist(), texts, folder)
        report = check_golden(Scorer.load(folder), folder)
        if not report.passed:
            raise RuntimeError(
                f"the model does not repeat its own scores: they differ by {report.worst:.2g} labels, "
                f"{report.tolerance:.2g} is allowed. This machine computes unreliably; try another"
            )
    say(f"{report.documents} golden documents agree within {report.worst:.1e} labels; kept: {fitted.target}")
    return info
