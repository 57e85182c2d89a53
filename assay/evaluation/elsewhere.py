"""Two finished models on one labelled source, without Flyte."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from assay.errors import InputError
from assay.evaluation.compare import ModelComparison, compare
from assay.evaluation.comparison_report import comparison_report
from assay.evaluation.evaluate import Evaluation, with_gates
from assay.evaluation.report import evaluation_report
from assay.evaluation.run import evaluate_model, predict, require_metric, require_slices
from assay.gates import GateLimits, run_gates_elsewhere
from assay.labels import (
    find_unseen,
    validate,
)
from assay.model import ModelInfo
from assay.progress import say
from assay.report import write_html
from assay.rubric import Rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import digest_folder, staged_file


def compare_models(
    models: tuple[Path, Path],
    source: str,
    columns: Columns,
    *,
    output: Path,
    names: tuple[str, str],
    slice_by: Sequence[str] = (),
) -> ModelComparison:
    """Compare two model folders on a labelled source; write the comparison as JSON, and a page beside it.

    Documents that fitted either are left out, and counted. `names`: what people call the two. Raises InputError where
    the two were made for different scales or thresholds, one was never calibrated, or no document is left.
    """
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the comparison is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    rubric = common_rubric([ModelInfo.read(model) for model in models], names)
    require_metric(rubric)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        snapshot = acquire(open_source(source), columns, Path(scratch) / "snapshot")
        require_slices(snapshot, slice_by)
        checked = validate(snapshot, rubric)
        say(f"{len(checked.documents):,} documents, {len(checked.quarantine)} quarantined, {checked.merged} merged")
        unseen = find_unseen(snapshot, checked.documents, models)
        a, b = (predict(model, snapshot, unseen.part, slice_by=slice_by) for model in models)
        comparison = compare(
            a.predictions,
            b.predictions,
            rubric,
            slice_columns=a.slice_columns,
            lineage={
                "model A": digest_folder(models[0]),
                "model B": digest_folder(models[1]),
                "snapshot": snapshot.manifest.version,
            },
        )
        report = comparison_report(comparison, a.predictions, b.predictions, snapshot, names)
    fields = {
        "models": {"a": names[0], "b": names[1]},
        **comparison.to_json(),
        "left_out_as_seen": unseen.left_out,
        "seen_by": {"a": unseen.seen[0], "b": unseen.seen[1]},
        "source": source,
        "quarantined": checked.quarantine["reason"].value_counts().to_dict(),
    }
    with staged_file(output) as partial:
        partial.write_text(json.dumps(fields, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        write_html(report, output.with_suffix(".html"))  # where this fails, there is no comparison at all
    return comparison


def common_rubric(infos: Sequence[ModelInfo], names: tuple[str, str]) -> Rubric:
    """The rubric of two models. Raises InputError where their scales or thresholds differ."""
    one, other = (info.rubric for info in infos)
    scales = [(rubric.low, rubric.high, rubric.threshold) for rubric in (one, other)]
    if scales[0] != scales[1]:
        said = [f"{name}: {low} to {high} from {cut:g}" for name, (low, high, cut) in zip(names, scales, strict=True)]
        raise InputError(
            "these models were made for different scales or thresholds",
            where="; ".join(said),
            fix="Compare models of one rubric",
        )
    return one


def evaluate_elsewhere(
    model: Path,
    source: str,
    columns: Columns,
    *,
    output: Path,
    rubric: str = "",
    slice_by: Sequence[str] = (),
    rater_columns: Sequence[str] = (),
    gates: GateLimits | None = None,
) -> Evaluation:
    """Evaluate a finished model on another labelled source; write the evaluation as JSON, and a page beside it.

    `rubric`: of a model with several, the name of the one that the labels are by; its main one otherwise. Documents
    that fitted the model are left out, and counted; the gates that need no train part are asked. Raises InputError
    where too few are left, the model was never calibrated, or has no such rubric.
    """
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the report is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    info = ModelInfo.read(model)
    info = info.view(rubric or info.rubric.name)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        snapshot = acquire(open_source(source), columns, Path(scratch) / "snapshot")
        checked = validate(snapshot, info.rubric)
        say(f"{len(checked.documents):,} documents, {len(checked.quarantine)} quarantined, {checked.merged} merged")
        unseen = find_unseen(snapshot, checked.documents, [model])
        result = evaluate_model(
            model, snapshot, unseen.part, None, info.rubric, slice_by=slice_by, rater_columns=rater_columns
        )
        verdicts = run_gates_elsewhere(
            model,
            snapshot,
            result.predictions,
            info.rubric,
            columns=slice_by,
            limits=gates or GateLimits(),
        )
        for verdict in verdicts:
            say(verdict.sentence())
        evaluation = with_gates(result.evaluation, verdicts)
        report = evaluation_report(evaluation, result.predictions, snapshot, quarantine=checked.quarantine)
    fields = {**evaluation.to_json(), "left_out_as_seen": unseen.left_out, "source": source}
    fields["quarantined"] = checked.quarantine["reason"].value_counts().to_dict()
    with staged_file(output) as partial:
        partial.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        write_html(report, output.with_suffix(".html"))  # where this fails, there is no report at all
    return evaluation
