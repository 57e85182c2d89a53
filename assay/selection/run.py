"""Select from the scores of a corpus, in one process and without Flyte."""

from pathlib import Path

from assay.errors import InputError
from assay.model import Calibration, ModelInfo, calibrated_info
from assay.progress import say, stage
from assay.scoring import Scores, find_scores
from assay.selection.choose import choose
from assay.selection.request import SelectionRequest
from assay.selection.write import provenance_of, write_selection
from assay.sources import Columns, open_corpus
from assay.storage import Snapshot, digest_folder, exists, find_made


def ranked(scores: Scores, info: ModelInfo, request: SelectionRequest) -> tuple[Scores, Calibration]:
    """Scores by the rubric that a request names, and what they mean. Raises InputError where the model has none."""
    aspect = info.aspects[info.output_of(request.by or info.rubric.name)]
    assert aspect.calibration is not None  # they are all fitted at once
    return (scores.by(aspect.rubric) if aspect in info.others else scores), aspect.calibration


def select_corpus(
    source: str, model: Path, columns: Columns, root: str, request: SelectionRequest, output: str
) -> Snapshot:
    """Select from the scores that `score_corpus` left below `root`, unless this very selection is there already.

    Raises InputError where the corpus is not scored to its end, nothing would be taken, or something else lies at
    `output`.
    """
    info = calibrated_info(model)
    info.output_of(request.by or info.rubric.name)  # before a corpus is copied in vain
    if not exists(root):
        raise InputError("there are no scores", where=root, fix="Run `assay score` first, to its end")
    snapshot = open_corpus(source, columns, root)
    scores = find_scores(root, snapshot.manifest.version, digest_folder(model))
    if found := find_made(output, provenance_of(scores, snapshot, request)):
        say("this selection is there already")
        return found
    with stage("Select"):
        scores, calibration = ranked(scores, info, request)
        choice = choose(scores, snapshot, calibration, request)
        selection = write_selection(scores, snapshot, request, choice, output)
        manifest = selection.manifest
        say(f"{manifest.rows:,} documents, {choice.realised:,} tokens, version {manifest.version[:12]}")
    return selection
