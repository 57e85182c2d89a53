"""From a trained model to one whose scores mean something: maps fitted on scores of documents it did not learn from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference import Scorer, check_golden, write_golden
from assay.labels import SplitSet, fitting_part, part_of, read_held_out
from assay.language import identify_language
from assay.model import AS_LABELLED, Calibration, KeepTarget, ModelInfo, Profile
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
    """Copy the model folder to the new folder `output`, with calibration, golden documents and reference.

    `main` is the set that it was trained with, `others` those of its further rubrics. A model that was cross-fitted is
    calibrated on the held-out scores of all that it learned from, others on the calibration part. The golden documents
    come from that part of the main set too: whoever checks them learns nothing of the test. Raises InputError where
    the documents are too few, are of one class only, or cannot promise the target of `keep`, which is the main
    rubric's alone.
    """
    scorer = Scorer.load(model)
    info = scorer.model.info
    sets = {of.rubric.name: of for of in (main, *others)}
    part = part_of(main.documents, main.assignment, "calibration")
    texts = main.snapshot.take(part["row"])
    said = Scorer(scorer.model, rubric=info.rubric.name).score(
        texts, progress="scoring the calibration part" if progress else ""
    )
    fitted = []
    for number, rubric in enumerate(aspect.rubric for aspect in info.aspects):
        scores, labels = _held_out(model, scorer, sets[rubric.name], progress, None if number else said)
        target = AS_LABELLED if number else keep
        fitted.append(
            Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold, keep=target)
        )
    info = info.calibrated(fitted)
    reference = _reference(model, info, part, texts, said)
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        info.write(folder)
        reference.write(folder)
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
    model: Path, scorer: Scorer, of: SplitSet, progress: bool, said: pd.DataFrame | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores by one rubric, and labels, of documents that the scores have not learned from.

    `said`: what the scorer says of the calibration part, where it was asked already.
    """
    if held_out := read_held_out(model):
        known = fitting_part(of.documents, of.assignment, cross_fitted=True)
        if set(known["id"]) != set(held_out):
            raise InputError("it was cross-fitted on other documents", where=str(model), fix="Train it again")
        return known["id"].map(held_out).to_numpy(), known["label"].to_numpy()
    part = part_of(of.documents, of.assignment, "calibration")
    if said is None:
        one = Scorer(scorer.model, rubric=of.rubric.name)
        said = one.score(of.snapshot.take(part["row"]), progress="scoring the calibration part" if progress else "")
    return said["score"].to_numpy(), part["label"].to_numpy()


def _reference(model: Path, info: ModelInfo, part: pd.DataFrame, texts: Sequence[str], said: pd.DataFrame) -> Profile:
    """What the main rubric's answers to the calibration part look like; of a cross-fitted model the held-out ones."""
    assert info.calibration is not None
    held_out = read_held_out(model)
    scores = part["id"].map(held_out).to_numpy(float) if held_out else said["score"].to_numpy()
    table = said[["tokens", "read"]].assign(
        score=scores,
        keep=info.calibration.apply(scores).keep,
        language=[identify_language(text).code for text in texts],
    )
    return Profile.of(info.rubric, table)
