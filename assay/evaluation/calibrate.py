"""From a trained model to one whose scores mean something: maps fitted on a part that training never saw."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assay.inference import Scorer, check_golden, write_golden
from assay.model import Calibration, ModelInfo
from assay.progress import say
from assay.storage import staged_folder


def calibrate(
    model: Path,
    ids: Sequence[str],
    texts: Sequence[str],
    labels: np.ndarray,
    output: Path,
    *,
    others: Mapping[str, tuple[Sequence[str], np.ndarray]] | None = None,
    progress: bool = True,
) -> ModelInfo:
    """Copy the model folder to the new folder `output`, with calibration and golden documents.

    The golden documents come from the calibration part too: whoever checks them learns nothing of the test.
    `others`: texts and labels of the calibration part of each further rubric of the model, by its name. Raises
    InputError where a part is too small or has one class only.
    """
    scorer = Scorer.load(model)
    info = scorer.model.info
    parts = {info.rubric.name: (texts, labels), **(others or {})}
    fitted = []
    for rubric in (aspect.rubric for aspect in info.aspects):
        some, said = parts[rubric.name]
        one = Scorer(scorer.model, rubric=rubric.name)
        scores = one.score(some, progress="scoring the calibration part" if progress else "")["score"].to_numpy()
        fitted.append(Calibration.fit(scores, said, low=rubric.low, high=rubric.high, threshold=rubric.threshold))
    info = info.calibrated(fitted)
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        info.write(folder)
        write_golden(scorer, ids, texts, folder)
        report = check_golden(Scorer.load(folder), folder)
        if not report.passed:
            raise RuntimeError(
                f"the model does not repeat its own scores: they differ by {report.worst:.2g} labels, "
                f"{report.tolerance:.2g} is allowed. This machine computes unreliably; try another"
            )
    say(f"{report.documents} golden documents agree within {report.worst:.1e} labels")
    return info
