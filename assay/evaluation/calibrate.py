"""From a trained model to one whose scores mean something: maps fitted on a part that training never saw."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
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
    progress: bool = True,
) -> ModelInfo:
    """Copy the model folder to the new folder `output`, with calibration and golden documents.

    The golden documents come from the calibration part too: whoever checks them learns nothing of the test.
    Raises InputError where the part is too small or has one class only.
    """
    scorer = Scorer.load(model)
    rubric = scorer.model.info.rubric
    scores = scorer.score(texts, progress="scoring the calibration part" if progress else "")["score"].to_numpy()
    fitted = Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)
    info = replace(scorer.model.info, calibration=fitted)
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
