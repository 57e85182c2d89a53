"""Track: log metrics, artefacts and lineage beside the parameters and curves that training logged."""

from pathlib import Path
from typing import NamedTuple

from flytekit import task
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation
from assay.tracking import open_tracker
from tasks.register import Registration
from tasks.support.caching import by_content
from tasks.support.resources import light
from tasks.support.settings import work_folder
from tasks.support.stages import Stage, recorded
from tasks.support.types import ModelFolder


class Tracked(NamedTuple):
    run_id: str
    stage: Stage


@task(cache=by_content(), **light())
def track(
    model: ModelFolder,
    evaluation: Evaluation,
    report: FlyteFile,
    registration: Registration,
    tracker_run: str,
    tracking: str,
) -> Tracked:
    """Log into the run that training started, or into a new one if training came from the cache without a tracker."""
    with (
        recorded("Track") as stage,
        open_tracker(tracking, run_name="train", run_id=tracker_run or None, work=work_folder()) as tracker,
    ):
        tracker.metrics(evaluation.flat())
        tracker.tags({"version": registration.version, "registry": registration.registry, **evaluation.lineage})
        tracker.artifact(Path(report.download()), "report")
        folder = Path(model.download())
        for name in ("assay.json", "golden.jsonl"):
            tracker.artifact(folder / name, "model")
        stage.documents = evaluation.documents
        stage.remark = tracking.partition(":")[0]
    return Tracked(tracker.run_id, stage)
