"""The model card, and the model folder made complete with it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from assay.evaluation.cuts import cut_blocks
from assay.evaluation.evaluate import Evaluation
from assay.evaluation.figures import figures, pair_table, rater_blocks, slice_blocks
from assay.metrics import LEAST_CLUSTERS, METRICS
from assay.model import ModelInfo
from assay.report import Block, Callout, Facts, Prose, Report, Section, render_markdown
from assay.storage import staged_folder


def model_card(info: ModelInfo, evaluation: Evaluation, others: Mapping[str, Evaluation] | None = None) -> str:
    """A model card in the Hugging Face format; of the same model and evaluations always the same text.

    `others`: evaluations of further rubrics, by their names.
    """
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
    report = Report(
        f"Document quality: {rubric.name}",
        sections=[
            Section("Intended use", [Prose(_use(info))]),
            Section("What it reads", [Prose(_reads(info, evaluation))]),
            Section("Labels", _labels(info, evaluation, source)),
            Section("Data", [Prose(_data(info, source))]),
            Section("How good", [*[Callout(warning, "warn") for warning in evaluation.warnings], *figures(evaluation)]),
            *([Section("Pairs of documents", [pair_table(evaluation)])] if evaluation.pairs else []),
            *([Section("Where to cut", cut_blocks(evaluation.cuts, rubric))] if evaluation.cuts else []),
            Section("Slices", slice_blocks(evaluation)),
            Section("Gates", [Prose(_gates(evaluation))]),
            *[_further(info, name, measured) for name, measured in (others or {}).items()],
            Section("Limits", [Prose("\n".join(f"- {limit}" for limit in _limits(info, evaluation, source)))]),
            Section("Cost of training", [Prose(_cost(evaluation))]),
            Section(
                "Lineage",
                [Facts({**evaluation.lineage, "run": str(info.lineage.get("run", "")), **_settings(info)})],
            ),
        ],
    )
    return render_markdown(report, head)


def _use(info: ModelInfo) -> str:
    rubric = info.rubric
    return (
        f"One raw score a document; `assay.json` turns it into an expected label ({rubric.low} to {rubric.high}), the "
        f"probability of {rubric.keep_name}, and a grade. Made to choose documents for the pretraining of language "
        "models.\n\n"
        "Not made to judge people or their work, to say whether a text is true, lawful or safe, to rank the answers of "
        "a model, or to decide on a single document without a person who looks at it."
    )


def _reads(info: ModelInfo, evaluation: Evaluation) -> str:
    return (
        f"Encoder {info.encoder}; at most {info.windows.count} window(s) of {info.windows.tokens} tokens a document. "
        f"Languages of the labels: {', '.join(info.languages)}; scores of others mean nothing. On the test part it "
        f"read {evaluation.read:.0%} of the tokens."
    )


def _labels(info: ModelInfo, evaluation: Evaluation, source: str) -> list[Block]:
    rubric = info.rubric
    by = (
        f"Given by the rubric {rubric.name}, {rubric.low} to {rubric.high}"
        if rubric.text
        else f"On the scale that the labels of the source span, {rubric.low} to {rubric.high}"
    )
    said = f"{by}; documents are kept from {rubric.threshold:g} on. Their source: {source or 'not known'}."
    if evaluation.raters is None:
        return [Prose(f"{said} Single ratings behind them are not known, and so neither is how reliable they are.")]
    return [Prose(said), *rater_blocks(evaluation.raters)]


def _data(info: ModelInfo, source: str) -> str:
    counts = info.lineage.get("documents", {})
    parts = ", ".join(f"{count} {part}" for part, count in counts.items())
    return f"Source {source}, {parts} documents. Near-duplicates and groups never straddle the parts."


def _gates(evaluation: Evaluation) -> str:
    return "\n".join(f"- {verdict.sentence()}" for verdict in evaluation.gates) or "None was asked."


def _limits(info: ModelInfo, evaluation: Evaluation, source: str) -> list[str]:
    """What a reader must not take the figures for."""
    said = [
        f"The figures hold for documents like those of {source or 'its source'}; `assay evaluate` measures others.",
        "What the labels get wrong, it has learnt to get wrong: a figure here is agreement with labels, not quality.",
        f"Documents in other languages than {', '.join(info.languages)} are marked, and their scores mean nothing.",
    ]
    if evaluation.read < 1:
        said.append(f"It does not read the end of long documents: {1 - evaluation.read:.0%} of the test part's tokens.")
    if not any(evaluation.seed_spread(name) is not None for name in evaluation.seeds):
        said.append("The intervals are about this very model: what another seed would have given is not in them.")
    if evaluation.clusters < LEAST_CLUSTERS:
        said.append(f"{evaluation.clusters} clusters of test documents are too few for any interval.")
    refused = [verdict.name for verdict in evaluation.gates if verdict.refused]
    unknown = [verdict.name for verdict in evaluation.gates if verdict.passed is None]
    if refused:
        said.append(f"It is refused by: {', '.join(refused)}; it should not be promoted without a reason.")
    if unknown:
        said.append(f"Too little was there for a verdict on: {', '.join(unknown)}.")
    return said


def _cost(evaluation: Evaluation) -> str:
    spent = evaluation.training
    if not spent:
        return "Not known."
    said = f"{spent['updates']:,.0f} updates over {spent['tokens']:,.0f} tokens in {spent['seconds']:,.1f} s."
    if folds := spent.get("fold_models"):
        said += f" In it are the {folds:.0f} models that scored what they had not learned from, for calibration."
    energy = "Its energy was not measured: no counter could be read"
    if "joules" in spent:
        energy = f"{spent['joules'] / 3.6e6:,.4f} kWh by the counters of processors and GPUs, other programs included"
    if "processor_seconds" in spent:
        return f"{said} {energy}; all processes together took {spent['processor_seconds']:,.1f} processor seconds."
    return f"{said} {energy}."


def _settings(info: ModelInfo) -> dict[str, str]:
    training = info.lineage.get("training", {})
    return {name: str(training[name]) for name in ("loss", "epochs", "seed", "precision") if name in training}


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
