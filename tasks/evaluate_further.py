"""Evaluate by a further rubric: the same as for the main rubric, on the test part of another set."""

import json
from pathlib import Path

from flytekit import current_context, task

from assay.evaluation import Evaluation, evaluate_baselines, examine
from assay.gates import GateLimits
from assay.labels import StoredSet
from assay.report import write_html
from assay.storage import parse_json, staged_folder
from assay.training import TrainConfig
from tasks.support.caching import by_content
from tasks.support.resources import encoder
from tasks.support.stages import recorded
from tasks.support.tables import CurveTable
from tasks.support.types import MeasuredFolder, ModelFolder, SetFolder, stored_folder


@task(cache=by_content(), **encoder())
def evaluate_further(
    further: SetFolder,
    model: ModelFolder,
    curve: CurveTable,
    config: TrainConfig,
    encoder_revision: str,
    slice_by: list[str],
    rater_columns: list[str],
    gates: GateLimits,
) -> MeasuredFolder:
    """Run baselines, evaluation and gates by a further rubric. `encoder_revision` only keys the cache."""
    given = StoredSet.read(Path(further.download()))
    of, leakage = given.divided, given.leakage
    with recorded(f"Evaluate: {of.rubric.name}"):
        assert leakage is not None
        baselines = evaluate_baselines(of.snapshot, of.documents, of.assignment, of.rubric, config)
        examined = examine(
            Path(model.download()),
            of,
            baselines=baselines,
            quarantine=given.quarantine,
            curve=curve,
            leakage=leakage,
            slice_by=slice_by,
            rater_columns=rater_columns,
            limits=gates,
            seed=config.seed,
        )
        folder = Path(current_context().working_directory) / "measured"
        with staged_folder(folder) as partial:
            fields = json.dumps(examined.evaluation.to_json(), ensure_ascii=False, allow_nan=False)
            (partial / "evaluation.json").write_text(fields, encoding="utf-8")
            write_html(examined.report, partial / "report.html")
    return stored_folder(folder)


def read_measured(folder: Path) -> tuple[str, tuple[Evaluation, Path]]:
    """Return rubric, evaluation and page of a MeasuredFolder. Raise InputError if its evaluation cannot be read."""
    text = (folder / "evaluation.json").read_bytes()
    evaluation = parse_json(Evaluation, text, what="evaluation.json", where=str(folder))
    return evaluation.rubric.name, (evaluation, folder / "report.html")
