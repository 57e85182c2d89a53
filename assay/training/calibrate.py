"""Calibrate a trained model on scores of documents that it was not trained on."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
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
from assay.proportions import effective_clusters
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
    """Copy the model folder to the new folder `output`, with calibration, golden documents and reference profile.

    `main`: the set that the model was trained with; `others`: the sets of its further rubrics; `keep`: target of the
    main rubric's cut. A cross-fitted model is calibrated on the held-out scores of all documents that it was trained
    on, any other model on the calibration part. Raise InputError if the documents are too few, are all of one class,
    or cannot promise the target.
    """
    scorer = Scorer.load(model)
    info = scorer.model.info
    sets = {of.rubric.name: of for of in (main, *others)}
    part = part_of(main.documents, main.assignment, "calibration")
    texts = main.snapshot.take(part["row"])
    scored = Scorer(scorer.model, rubric=info.rubric.name).score(
        texts, progress="scoring the calibration part" if progress else ""
    )
    fitted = []
    for number, rubric in enumerate(aspect.rubric for aspect in info.aspects):
        scores, known = _held_out(model, scorer, sets[rubric.name], progress, None if number else scored)
        fitted.append(
            Calibration.fit(
                scores,
                known["label"].to_numpy(),
                low=rubric.low,
                high=rubric.high,
                threshold=rubric.threshold,
                keep=AS_LABELLED if number else keep,
                clusters=known["cluster"].to_numpy(),
                cross_fitted=bool(read_held_out(model)),
            )
        )
    info = info.calibrated(fitted)
    reference = _reference(model, info, part, texts, scored)
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        info.write(folder)
        reference.write(folder)
        # Golden documents come from the calibration part: a check of a model must not reveal the test part.
        write_golden(scorer, part["id"].tolist(), texts, folder)
        # Load the written folder, so that the files are checked and not the model in memory.
        report = check_golden(Scorer.load(folder), folder)
        if not report.passed:
            raise RuntimeError(
                f"the model does not repeat its own scores: they differ by {report.worst:.2g} labels, more than the "
                f"{report.tolerance:.2g} allowed. This machine computes unreliably. Use another one"
            )
    say(f"{report.documents} golden documents agree within {report.worst:.1e} labels; cut for {keep}")
    return info


def _held_out(
    model: Path, scorer: Scorer, of: SplitSet, progress: bool, scored: pd.DataFrame | None
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Return (scores by one rubric, documents with label and cluster) that the scoring models were not trained on.

    `scored`: scores of the calibration part, if they exist already.
    """
    if held_out := read_held_out(model):
        known = fitting_part(of.documents, of.assignment, cross_fitted=True)
        if set(known["id"]) != set(held_out):
            raise InputError("the model was cross-fitted on other documents", where=str(model), fix="Train it again")
        return known["id"].map(held_out).to_numpy(), known
    part = part_of(of.documents, of.assignment, "calibration")
    if scored is None:
        one = Scorer(scorer.model, rubric=of.rubric.name)
        scored = one.score(of.snapshot.take(part["row"]), progress="scoring the calibration part" if progress else "")
    return scored["score"].to_numpy(), part


def _reference(model: Path, info: ModelInfo, part: pd.DataFrame, texts: Sequence[str], scored: pd.DataFrame) -> Profile:
    """Return the profile of the calibration part by the main rubric.

    Of a cross-fitted model the held-out scores count, because its own are of documents that it was trained on.
    """
    assert info.calibration is not None
    held_out = read_held_out(model)
    scores = part["id"].map(held_out).to_numpy(float) if held_out else scored["score"].to_numpy()
    table = scored[["tokens", "read"]].assign(
        score=scores,
        keep=info.calibration.apply(scores).keep,
        language=[identify_language(text).code for text in texts],
    )
    profile, worth = Profile.of(info.rubric, table), effective_clusters(part["cluster"].to_numpy())
    # As many clusters as documents: each document counts whole.
    return profile if worth > len(part) - 0.5 else replace(profile, worth=worth)
