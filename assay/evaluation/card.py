"""The model card, and the model folder made complete with it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from assay.evaluation.cuts import cut_blocks
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.metrics import METRICS
from assay.evaluation.present import figures, slice_blocks
from assay.model import ModelInfo
from assay.report import Callout, Facts, Prose, Report, Section, render_markdown
from assay.storage import staged_folder


def model_card(info: ModelInfo, evaluation: Evaluation, others: Mapping[str, Evaluation] | None = None) -> str:
    """A model card in the Hugging Face format; `others`: evaluations of further rubrics, by their names."""
    rubric = info.rubric
    results = [
        {"type": name, "value": round(interval.value, 4), "name": METRICS[name].title}
        for name, interval in evaluation.metrics.items()
        if interval.value is not None
    ]
    source = ", ".join(str(entry.get("uri", "")).rsplit("/", 1)[-1] for entry in info.lineage.get("sources", []))
    head = {
        "language": list(info.languages),
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["data-quality", "pretraining-data", "regression"],
        "model-index": [
            {
                "name": f"assay {rubric.name}",
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": {"name": source or "labelled documents", "type": "private", "split": "test"},
                        "metrics": results,
                    }
                ],
            }
        ],
    }
    counts = info.lineage.get("documents", {})
    report = Report(
        f"Document quality: {rubric.name}",
        sections=[
            Section(
                "Use",
                [
                    Prose(
                        f"One raw score a document; `assay.json` turns it into an expected label ({rubric.low} to "
                        f"{rubric.high}), the probability of {rubric.keep_name}, and a grade. Made to choose documents "
                        "for the pretraining of language models; not made to judge people or their work."
                    )
                ],
            ),
            Section(
                "What it reads",
                [
                    Prose(
                        f"Encoder {info.encoder}; at most {info.windows.count} window(s) of {info.windows.tokens} "
                        f"tokens a document. Languages of the labels: {', '.join(info.languages)}; scores of others "
                        f"mean nothing. On the test part it read {evaluation.read:.0%} of the tokens."
                    )
                ],
            ),
            Section(
                "Data",
                [
                    Prose(
                        f"Source {source}, {', '.join(f'{count} {part}' for part, count in counts.items())} documents. "
                        "Near-duplicates and groups never straddle the parts."
                    )
                ],
            ),
            Section("How good", [*[Callout(warning, "warn") for warning in evaluation.warnings], *figures(evaluation)]),
            *([Section("Where to cut", cut_blocks(evaluation.cuts, rubric))] if evaluation.cuts else []),
            Section("Slices", slice_blocks(evaluation)),
            *([Section("Gates", [Prose(f"- {v.sentence()}") for v in evaluation.gates])] if evaluation.gates else []),
            *[_further(info, name, measured) for name, measured in (others or {}).items()],
            Section(
                "Lineage",
                [Facts({**evaluation.lineage, "run": str(info.lineage.get("run", ""))})],
            ),
        ],
    )
    return render_markdown(report, head)


def _further(info: ModelInfo, name: str, evaluation: Evaluation) -> Section:
    """What there is to know of a further rubric."""
    rubric, counts = evaluation.rubric, info.lineage.get("others", {}).get(name, {}).get("documents", {})
    said = (
        f"Output {info.output_of(name)} of the same network: its score by the rubric {name}, scale {rubric.low} to "
        f"{rubric.high}, kept from {rubric.keep_name}. Learned and measured on a set of its own: "
        f"{', '.join(f'{count} {part}' for part, count in counts.items())} documents."
    )
    warnings = [Callout(warning, "warn") for warning in evaluation.warnings]
    return Section(f"Rubric {name}", [Prose(said), *warnings, *figures(evaluation)])


def finish_model_folder(
    model: Path,
    evaluation: Evaluation,
    report: Path,
    output: Path,
    others: Mapping[str, tuple[Evaluation, Path]] | None = None,
) -> None:
    """Copy the model folder to the new folder `output`, with `evaluation.json`, `report.html` and the card.

    `others`: evaluation and report of each further rubric, by its name; they become `evaluation-NAME.json` and
    `report-NAME.html`.
    """
    others = others or {}
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        measured = {"": (evaluation, report), **{f"-{name}": of for name, of in others.items()}}
        for suffix, (figured, page) in measured.items():
            fields = json.dumps(figured.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
            (folder / f"evaluation{suffix}.json").write_text(fields + "\n", encoding="utf-8")
            shutil.copyfile(page, folder / f"report{suffix}.html")
        card = model_card(ModelInfo.read(folder), evaluation, {name: figured for name, (figured, _) in others.items()})
        (folder / "README.md").write_text(card, encoding="utf-8")
