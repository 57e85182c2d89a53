"""Evaluate: the untouched test part, the model beside its baselines, with intervals."""

from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task
from flytekit.types.file import FlyteFile

from assay.evaluation import (
    Evaluation,
    evaluate_model,
    evaluation_report,
    read_limits,
    run_gates,
    with_gates,
    with_seeds,
    with_training,
)
from assay.labels import Leakage, part_of
from assay.progress import say
from assay.report import render_fragment, write_html
from assay.rubric import Rubric
from assay.storage import Snapshot
from tasks.caching import by_content
from tasks.resources import encoder
from tasks.settings import split_names
from tasks.types import (
    Assignment,
    BaselineTable,
    CurveTable,
    Documents,
    ModelFolder,
    PredictionTable,
    Quarantine,
    SnapshotFolder,
    Stage,
    recorded,
    stored_file,
)


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
    slice_by: str,
    rater_columns: str,
    gate_limits: str,
    seeds: list[dict[str, float]],
) -> Evaluated:
    """Score the test part, compare, ask the gates, and draw the report that is both Deck and HTML file."""
    with recorded("Evaluate") as stage:
        opened, folder = Snapshot.open(Path(snapshot.download())), Path(model.download())
        part, columns = part_of(documents, assignment, "test"), split_names(slice_by)
        result = evaluate_model(
            folder, opened, part, baselines, rubric, slice_by=columns, rater_columns=split_names(rater_columns)
        )
        verdicts = run_gates(
            folder,
            opened,
            documents,
            assignment,
            result.predictions,
            rubric,
            columns=columns,
            limits=read_limits(split_names(gate_limits)),
        )
        say("; ".join(verdict.sentence() for verdict in verdicts))
        evaluation = with_training(with_seeds(with_gates(result.evaluation, verdicts), seeds), curve)
        report = evaluation_report(
            evaluation,
            result.predictions,
            opened,
            documents=documents,
            assignment=assignment,
            quarantine=quarantine,
            curve=curve,
            leakage=leakage,
        )
        path = Path(current_context().working_directory) / "report.html"
        write_html(report, path)
        Deck("Evaluation", render_fragment(report))
        stage.documents = len(part)
        stage.remark = "95 % intervals over clusters"
    return Evaluated(result.predictions, evaluation, stored_file(path), stage)
