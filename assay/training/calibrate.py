"""Calibrate a trained model on scores of documents that it was not trained on."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference import Scorer, check_golden, write_golden
from assay.labels import SEEN_FILES, SplitSet, fitting_part, part_of, read_held_out
from assay.language import identify_language
from assay.model import AS_LABELLED, REFIT, Calibration, KeepTarget, ModelInfo, Profile, save_model
from assay.progress import say
from assay.proportions import effective_clusters
from assay.storage import staged_folder
from assay.training.align import aligned


def calibrate(
    model: Path,
    main: SplitSet,
    output: Path,
    *,
    others: Sequence[SplitSet] = (),
    keep: KeepTarget = AS_LABELLED,
    progress: bool = True,
) -> ModelInfo:
    """Copy the model folder to the new folder `output`, with calibration, golden documents and reference profiles.

    `main`: the set that the model was trained with; `others`: the sets of its further rubrics; `keep`: target of the
    main rubric's cut. A cross-fitted model is calibrated on the held-out scores of all documents that it was trained
    on, any other model on the calibration part. A model fitted to all labels, in the folder `refit`, gets the same
    calibration, after its scores were mapped onto those of the measured one; it is left out if it does not agree with
    that one (`aligned`). Raise InputError if the documents are too few, are all of one class, or cannot promise the
    target.
    """
    scorer = Scorer.load(model)
    info, held_out = scorer.model.info, read_held_out(model)
    sets = {of.rubric.name: of for of in (main, *others)}
    shipped = None
    if (model / REFIT).is_dir():
        shipped = aligned(model, scorer, sets, cross_fitted=bool(held_out))
    parts = [_score_part(scorer, sets[aspect.rubric.name], progress) for aspect in info.aspects]
    fitted = []
    for number, part in enumerate(parts):
        scores, known = _held_out(model, part, held_out)
        rubric = part.of.rubric
        fitted.append(
            Calibration.fit(
                scores,
                known["label"].to_numpy(),
                low=rubric.low,
                high=rubric.high,
                threshold=rubric.threshold,
                keep=AS_LABELLED if number else keep,
                clusters=known["cluster"].to_numpy(),
                cross_fitted=bool(held_out) or shipped is not None,
            )
        )
    info = info.calibrated(fitted)
    references = [_reference(part, of, held_out) for part, of in zip(parts, fitted, strict=True)]
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(REFIT))
        _complete(folder, scorer, info, parts, references)
        if shipped:
            known = shipped.info.calibrated(fitted)
            (folder / REFIT).mkdir()
            save_model(replace(shipped, info=known), folder / REFIT)
            for name in SEEN_FILES:
                shutil.copyfile(model / REFIT / name, folder / REFIT / name)
            _complete(folder / REFIT, Scorer.load(folder / REFIT), known, parts, references)
    say(f"cut for {keep}")
    return info


def _complete(
    folder: Path, scorer: Scorer, info: ModelInfo, parts: Sequence["_Part"], references: Sequence[Profile]
) -> None:
    """Write calibration, reference profiles and golden documents into a folder being staged, and check the latter."""
    info.write(folder)
    for number, reference in enumerate(references):
        reference.write(folder, further=parts[number].of.rubric.name if number else "")
    # Golden documents come from the calibration part: a check of a model must not reveal the test part.
    write_golden(scorer, parts[0].documents["id"].tolist(), parts[0].texts, folder)
    # Load the written folder, so that the files are checked and not the model in memory.
    report = check_golden(Scorer.load(folder), folder)
    if not report.passed:
        raise RuntimeError(
            f"the model does not repeat its own scores: they differ by {report.worst:.2g} labels, more than the "
            f"{report.tolerance:.2g} allowed. This machine computes unreliably. Use another one"
        )
    say(f"{report.documents} golden documents agree within {report.worst:.1e} labels")


@dataclass(frozen=True)
class _Part:
    """The calibration part of one rubric's documents, scored by the model itself."""

    of: SplitSet
    documents: pd.DataFrame
    texts: Sequence[str]
    scored: pd.DataFrame


def _score_part(scorer: Scorer, of: SplitSet, progress: bool) -> _Part:
    part = part_of(of.documents, of.assignment, "calibration")
    texts = of.snapshot.take(part["row"])
    scored = Scorer(scorer.model, rubric=of.rubric.name).score(
        texts, progress="scoring the calibration part" if progress else ""
    )
    return _Part(of, part, texts, scored)


def _held_out(model: Path, part: _Part, held_out: dict[str, float]) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Return (scores by one rubric, documents with label and cluster) that the scoring models were not trained on."""
    if not held_out:
        return part.scored["score"].to_numpy(), part.documents
    known = fitting_part(part.of.documents, part.of.assignment, cross_fitted=True)
    if set(known["id"]) != set(held_out):
        raise InputError("the model was cross-fitted on other documents", where=str(model), fix="Train it again")
    return known["id"].map(held_out).to_numpy(), known


def _reference(part: _Part, calibration: Calibration, held_out: dict[str, float]) -> Profile:
    """Return the profile of the calibration part by its rubric.

    Of a cross-fitted model the held-out scores count, because its own are of documents that it was trained on.
    """
    known = part.documents
    scores = known["id"].map(held_out).to_numpy(float) if held_out else part.scored["score"].to_numpy()
    table = part.scored[["tokens", "read"]].assign(
        score=scores,
        keep=calibration.apply(scores).keep,
        language=[identify_language(text).code for text in part.texts],
    )
    profile, worth = Profile.of(part.of.rubric, table), effective_clusters(known["cluster"].to_numpy())
    # As many clusters as documents: each document counts whole.
    return profile if worth > len(known) - 0.5 else replace(profile, worth=worth)
