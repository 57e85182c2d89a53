"""Evaluate: measure model and baselines on the untouched test part, with intervals."""

from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation, examine
from assay.gates import GateLimits
from assay.labels import Leakage, SplitSet
from assay.report import render_fragment, write_html
from assay.rubric import Rubric
from assay.storage import Snapshot
from tasks.support.caching import by_content
from tasks.support.resources import encoder
from tasks.support.stages import Stage, recorded
from tasks.support.tables import Assignment, BaselineTable, CurveTable, Documents, PredictionTable, Quarantine
from tasks.support.types import ModelFolder, SnapshotFolder, stored_file


class Evaluated(NamedTuple):
    predictions: PredictionTable
    evaluation: Evaluation
    report: FlyteFile
    stage: Stage


@task(enable_deck=True, cache=by_content(), **encoder())
def evaluate(
    model: ModelFolder,
    snapshot: SnapshotFolder,
    documents: Documents,
    assignment: Assignment,
    quarantine: Quarantine,
    baselines: BaselineTable,
    curve: CurveTable,
    leakage: Leakage,
    rubric: Rubric,
    slice_by: list[str],
    rater_columns: list[str],
    gates: GateLimits,
    seeds: list[dict[str, float]],
    seed: int,
) -> Evaluated:
    """Score the test part, compare with the baselines, run the gates, and draw the report as Deck and HTML file."""
    with recorded("Evaluate") as stage:
        examined = examine(
            Path(model.download()),
            SplitSet(rubric, Snapshot.open(Path(snapshot.download())), documents, assignment),
            baselines=baselines,
            quarantine=quarantine,
            curve=curve,
            leakage=leakage,
            slice_by=slice_by,
            rater_columns=rater_columns,
            limits=gates,
            seeds=seeds,
            seed=seed,
        )
        path = Path(current_context().working_directory) / "report.html"
        write_html(examined.report, path)
        Deck("Evaluation", render_fragment(examined.report))
        stage.documents = examined.evaluation.documents
        stage.remark = "95 % intervals over clusters"
    return Evaluated(examined.predictions, examined.evaluation, stored_file(path), stage)
