"""Evaluate a finished model on another labelled source, without Flyte."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from assay.errors import InputError
from assay.evaluation.evaluate import with_gates
from assay.evaluation.record import Evaluation
from assay.evaluation.report import evaluation_report
from assay.evaluation.run import evaluate_model
from assay.gates import GateLimits, leak_elsewhere, run_gates_elsewhere
from assay.labels import open_unseen
from assay.model import ModelInfo
from assay.progress import say
from assay.report import write_html
from assay.sources import Columns
from assay.storage import staged_file


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
    on_report: Callable[[Sequence[str], Sequence[str]], None] | None = None,
) -> Evaluation:
    """Evaluate a finished model on another labelled source. Write the evaluation as JSON, and an HTML page next to it.

    `rubric`: name of the rubric of the labels, if the model has several; by default its main one. What the model has
    seen, as `find_unseen` finds it, is left out and counted. All gates are run on the rest. `on_report` is
    called at the end with the ids of the documents and the digests of their texts. Raise InputError if no
    document is left, or if the model was never calibrated or has no such rubric.
    """
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the evaluation is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    info = ModelInfo.read(model)
    # Scale and threshold of the rubric that the labels follow, which may not be the main one.
    info = info.view(rubric or info.rubric.name)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        snapshot, checked, unseen = open_unseen(
            source, columns, info.rubric, [model], folder=Path(scratch) / "snapshot"
        )
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
        verdicts.append(leak_elsewhere(unseen))
        for verdict in verdicts:
            say(verdict.sentence())
        evaluation = with_gates(result.evaluation, verdicts)
        report = evaluation_report(evaluation, result.predictions, snapshot, quarantine=checked.quarantine)
    # In one file with the evaluation: `parse_record` ignores fields that an Evaluation does not have.
    fields = {**evaluation.to_json(), "left_out_as_seen": unseen.left_out, "source": source}
    fields["left_out"] = unseen.reasons
    fields["quarantined"] = checked.quarantine["reason"].value_counts().to_dict()
    with staged_file(output) as partial:
        partial.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        # Inside the block: if the page cannot be written, there is no JSON either.
        write_html(report, output.with_suffix(".html"))
    if on_report:
        on_report(checked.documents["id"].tolist(), unseen.digests)
    return evaluation
