"""Select from the scores of a corpus, in one process and without Flyte."""

from dataclasses import replace
from pathlib import Path

from assay.errors import InputError
from assay.model import Calibration, ModelInfo, calibrated_info
from assay.progress import say, stage
from assay.scoring import Scores, find_scores
from assay.selection.choose import choose, require_scores
from assay.selection.mix import compare_mix, require_mix
from assay.selection.request import SelectionRequest
from assay.selection.write import Writing, provenance_of, write_selection
from assay.sources import Columns, Period, open_corpus
from assay.storage import Snapshot, digest_folder, exists, find_made


def ranked(scores: Scores, info: ModelInfo, request: SelectionRequest) -> tuple[Scores, Calibration]:
    """Return the scores by the rubric of a request, and their calibration. Raise InputError for an unknown rubric."""
    aspect = info.aspects[info.output_of(request.by or info.rubric.name)]
    calibration = aspect.calibration
    assert calibration is not None  # all rubrics of a model are calibrated together
    if calibration.curve is not None and info.lineage.get("training", {}).get("folds"):
        # Curves of earlier releases do not tell that they come from fold models.
        calibration = replace(calibration, curve=replace(calibration.curve, cross_fitted=True))
    return (scores.by(aspect.rubric) if aspect in info.others else scores), calibration


def prepared(snapshot: Snapshot, scores: Scores, model: Path, request: SelectionRequest) -> Writing:
    """Return what is known before anything is chosen: the scores by the rubric of a request, and the corpus's mix.

    Raise InputError for an unknown rubric, for a promise that cannot be given for this mix, and if nothing can be
    chosen by these scores.
    """
    info = calibrated_info(model)
    scores, calibration = ranked(scores, info, request)
    require_scores(scores, snapshot)
    mix = compare_mix(model, info, scores, calibration)
    require_mix(mix, request, calibration)
    return Writing(scores, snapshot, request, mix, calibration)


def select_corpus(
    source: str,
    model: Path,
    columns: Columns,
    root: str,
    request: SelectionRequest,
    output: str,
    *,
    period: Period | None = None,
) -> Snapshot:
    """Select from the scores that `score_corpus` wrote below `root`, unless the same selection exists at `output`.

    Raise InputError if the corpus is not scored completely, no document would be taken, a promised target is requested
    for a corpus of another mix, or `output` holds something else.
    """
    info = calibrated_info(model)
    info.output_of(request.by or info.rubric.name)  # checked before a corpus is copied without effect
    if not exists(root):
        raise InputError("there are no scores", where=root, fix="Run `assay score` first, to its end")
    snapshot = open_corpus(source, columns, root, period)
    scores = find_scores(root, snapshot.manifest.version, digest_folder(model))
    if found := find_made(output, provenance_of(scores, snapshot, request)):
        say("this selection exists already")
        return found
    with stage("Select"):
        writing = prepared(snapshot, scores, model, request)
        assert writing.calibration is not None
        choice = choose(writing.scores, snapshot, writing.calibration, request)
        selection = write_selection(
            writing.scores, snapshot, request, choice, output, mix=writing.mix, calibration=writing.calibration
        )
        manifest = selection.manifest
        say(f"{manifest.rows:,} documents, {choice.realised:,} tokens, version {manifest.version[:12]}")
    return selection
