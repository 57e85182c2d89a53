"""The model card, and the model folder made complete with it."""

import json
import shutil
from pathlib import Path

from assay.evaluation.evaluate import Evaluation
from assay.evaluation.metrics import METRICS
from assay.evaluation.present import figures, slice_blocks
from assay.model import ModelInfo
from assay.report import Callout, Facts, Prose, Report, Section, render_markdown
from assay.storage import staged_folder


def model_card(info: ModelInfo, evaluation: Evaluation) -> str:
    """A model card in the Hugging Face format."""
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
            Section("Slices", slice_blocks(evaluation)),
            *([Section("Gates", [Prose(f"- {v.sentence()}") for v in evaluation.gates])] if evaluation.gates else []),
            Section(
                "Lineage",
                [Facts({**evaluation.lineage, "run": str(info.lineage.get("run", ""))})],
            ),
        ],
    )
    return render_markdown(report, head)


def finish_model_folder(model: Path, evaluation: Evaluation, report: Path, output: Path) -> None:
    """Copy the model folder to the new folder `output`, with `evaluation.json`, `report.html` and the card."""
    with staged_folder(output) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        fields = json.dumps(evaluation.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "evaluation.json").write_text(fields + "\n", encoding="utf-8")
        shutil.copyfile(report, folder / "report.html")
        (folder / "README.md").write_text(model_card(ModelInfo.read(folder), evaluation), encoding="utf-8")
