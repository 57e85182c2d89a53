"""From a trained model to one whose scores mean something: maps fitted on scores of documents it did not learn from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference import Scorer, check_golden, write_golden
from assay.labels import SplitSet, fitting_part, part_of, read_held_out
from assay.model import AS_LABELLED, Calibration, KeepTarget, ModelInfo
from assay.progress import say
from assay.storage import staged_folder


def calibrate(
    model: Path,
    main: SplitSet,
    output: Path,
    *,
    others: Sequence[SplitSet] = (),
    keep: KeepTarget = AS_LABELLED,
    progress: bool = True,
) -> ModelInfo:
    """Copy the model folder to the new folder `output`, with calibration and golden documents.

    `main` is the set that it was trained with, `others` those of its further rubrics. A model that was cross-fitted is
    calibrated on the held-out scores of all that it learned from, others on the calibration part. The golden documents
    come from that part of the main set too: whoever checks them learns nothing of the test. Raises InputError where
    the documents are too few, are of one class only, or cannot promise the target of `keep`, which is the main
    rubric's alone.
    """
    scorer = Scorer.load(model)
    info = scorer.model.info
    sets = {of.rubric.name: of for of in (main, *others)}
    fitted = []
    for number, rubric in enumerate(aspect.rubric for aspect in info.aspects):
        scores, labels = _held_out(model, scorer, sets[rubric.name], progress)
        target = AS_LABELLED if number else keep
        fitted.append(
            Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold, keep=target)
        )
    info = info.calibrated(fitted)
    part = part_of(main.documents, main.assignment, "calibration")
    texts = main.snapshot.take(part["row"])
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
    say(f"{report.documents} golden documents agree within {report.worst:.1e} labels; kept: {keep}")
    return info


def _held_out(
    model: Path, scorer: Scorer, of: SplitSet, progress: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores by one rubric, and labels, of documents that the scores have not learned from."""
    if held_out := read_held_out(model):
        known = fitting_part(of.documents, of.assignment, cross_fitted=True)
        if set(known["id"]) != set(held_out):
            raise InputError("it was cross-fitted on other documents", where=str(model), fix="Train it again")
        return known["id"].map(held_out).to_numpy(), known["label"].to_numpy()
    part = part_of(of.documents, of.assignment, "calibration")
    one = Scorer(scorer.model, rubric=of.rubric.name)
    scored = one.score(of.snapshot.take(part["row"]), progress="scoring the calibration part" if progress else "")
    return scored["score"].to_numpy(), part["label"].to_numpy()
