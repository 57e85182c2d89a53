"""Select: write the best documents of a scored corpus as a snapshot with data card and report."""

from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task

from assay.model import calibrated_info
from assay.progress import say
from assay.registry import Registry
from assay.report import render_fragment
from assay.scoring import PartFolder, Scores
from assay.selection import (
    SelectionRequest,
    choose,
    compare_mix,
    ranked,
    require_mix,
    selection_report,
    write_selection,
)
from assay.storage import Snapshot
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, place_of, stored_folder


class Selected(NamedTuple):
    selection: SnapshotFolder
    stage: Stage


@task(enable_deck=True, cache=by_content("folder", "registry", "scored"), **heavy())
def select_documents(
    corpus: SnapshotFolder,
    folder: str,
    plan: str,
    registry: str,
    version: str,
    request: SelectionRequest,
    scored: list[Stage],
) -> Selected:
    """Choose the cut and write the selection. `scored` orders this task after the parts; `plan` keys the cache."""
    with recorded("Select") as stage:
        snapshot, scores = Snapshot.open(place_of(corpus)), Scores.complete(PartFolder.open(folder))
        with Registry(registry).open(version) as model:
            info = calibrated_info(model)
            scores, calibration = ranked(scores, info, request)
            mix = compare_mix(model, info, scores, calibration)
        require_mix(mix, request, calibration)
        choice = choose(scores, snapshot, calibration, request)
        path = Path(current_context().working_directory) / "selection"
        selection = write_selection(scores, snapshot, request, choice, str(path), mix=mix, calibration=calibration)
        Deck("Selection", render_fragment(selection_report(selection, scores, snapshot, request)))
        stage.documents = selection.manifest.rows
        stage.remark = f"{choice.realised:,} tokens, version {selection.manifest.version[:12]}"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Selected(stored_folder(path), stage)
