"""Compare two model folders on one labelled source, without Flyte."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from assay.errors import InputError
from assay.evaluation.checks import require_metric, require_slices
from assay.evaluation.compare import ModelComparison, compare
from assay.evaluation.comparison_report import comparison_report
from assay.evaluation.predict import predict
from assay.labels import open_unseen
from assay.model import ModelInfo
from assay.report import write_html
from assay.rubric import Rubric
from assay.sources import Columns
from assay.storage import digest_folder, staged_file


def compare_models(
    models: tuple[Path, Path],
    source: str,
    columns: Columns,
    *,
    output: Path,
    names: tuple[str, str],
    slice_by: Sequence[str] = (),
    on_report: Callable[[Sequence[str], Sequence[str]], None] | None = None,
) -> ModelComparison:
    """Compare two model folders on a labelled source. Write the comparison as JSON, and an HTML page next to it.

    What either model has seen, as `find_unseen` finds it, is left out and counted. `names`: the names of the two for
    people. `on_report` is called at the end with the ids of the documents and the digests of their texts. Raise
    InputError if their scales or thresholds differ, one was never calibrated, or no document is left.
    """
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the comparison is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    rubric = common_rubric([ModelInfo.read(model) for model in models], names)
    require_metric(rubric)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        snapshot, checked, unseen = open_unseen(
            source,
            columns,
            rubric,
            models,
            folder=Path(scratch) / "snapshot",
            check=lambda snapshot: require_slices(snapshot, slice_by),
        )
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
        report = comparison_report(comparison, a.predictions, b.predictions, snapshot, names, notes=unseen.sentences())
    fields = {
        "models": {"a": names[0], "b": names[1]},
        **comparison.to_json(),
        "left_out_as_seen": unseen.left_out,
        "left_out": unseen.reasons,
        "known_by_bytes_alone": {"a": unseen.unmarked[0], "b": unseen.unmarked[1]},
        "seen_by": {"a": unseen.seen[0], "b": unseen.seen[1]},
        "source": source,
        "quarantined": checked.quarantine["reason"].value_counts().to_dict(),
    }
    with staged_file(output) as partial:
        partial.write_text(json.dumps(fields, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        # Inside the block: if the page cannot be written, there is no JSON either.
        write_html(report, output.with_suffix(".html"))
    if on_report:
        on_report(checked.documents["id"].tolist(), unseen.digests)
    return comparison


def common_rubric(infos: Sequence[ModelInfo], names: tuple[str, str]) -> Rubric:
    """Return the rubric of two models. Raise InputError if their scales or thresholds differ."""
    one, other = (info.rubric for info in infos)
    scales = [(rubric.low, rubric.high, rubric.threshold) for rubric in (one, other)]
    if scales[0] != scales[1]:
        scope = [f"{name}: {low} to {high} from {cut:g}" for name, (low, high, cut) in zip(names, scales, strict=True)]
        raise InputError(
            "these models were made for different scales or thresholds",
            where="; ".join(scope),
            fix="Compare models of one rubric",
        )
    return one
