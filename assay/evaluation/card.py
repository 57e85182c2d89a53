"""The model card, and the complete model folder."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import without_secrets
from assay.evaluation.cuts import cut_blocks
from assay.evaluation.figures import figures, pair_table, rater_blocks, refit_blocks, slice_blocks
from assay.evaluation.record import Evaluation
from assay.metrics import LEAST_CLUSTERS, METRICS
from assay.model import REFIT, ModelInfo
from assay.report import Block, Callout, Facts, Prose, Report, Section, render_markdown
from assay.storage import staged_folder


def model_card(info: ModelInfo, evaluation: Evaluation, others: Mapping[str, Evaluation] | None = None) -> str:
    """Return a model card in the Hugging Face format. Equal models and evaluations give equal text.

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
        "library_name": "transformers" if info.kind == "encoder" else "assay",
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
            Section(
                "Figures",
                [
                    *refit_blocks(evaluation),
                    *[Callout(warning, "warn") for warning in evaluation.warnings],
                    *figures(evaluation),
                ],
            ),
            *([Section("Pairs of documents", [pair_table(evaluation)])] if evaluation.pairs else []),
            *([Section("Cuts", cut_blocks(evaluation.cuts, rubric))] if evaluation.cuts else []),
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


HYBRID = (
    "Beside it words and pairs of words, hashed, of the first {words:,} words; the score is the mean of both parts. "
    "Plain transformers load the encoder's part alone, on the same scale: its figures are among the baselines."
)


def _use(info: ModelInfo) -> str:
    rubric = info.rubric
    return (
        f"One raw score per document. `assay.json` maps it to an expected label ({rubric.low} to {rubric.high}), the "
        f"probability of {rubric.keep_name}, and a grade. The model is made to choose documents for the pretraining of "
        "language models.\n\n"
        "It is not made to judge people or their work, to decide if a text is true, lawful or safe, to rank the "
        "answers of a language model, or to decide about a single document without review by a person."
    )


def _reads(info: ModelInfo, evaluation: Evaluation) -> str:
    words = info.words if info.kind == "hybrid" else info.windows.tokens
    parts = {
        "encoder": f"Encoder {info.encoder}; at most {info.windows.count} window(s) of {info.windows.tokens} tokens "
        "per document.",
        "lexical": f"Words and pairs of words, hashed; the first {words:,} words per document. It knows neither "
        "meaning nor the order of words beyond pairs, so that whoever knows its words can write for it.",
    }
    what = parts.get(info.kind, f"{parts['encoder']} {HYBRID}".format(words=words))
    return (
        f"{what} "
        f"Languages of the labels: {', '.join(info.languages)}; scores of other languages mean nothing. On the test "
        f"part the model read {evaluation.read:.0%} of the tokens."
    )


def _labels(info: ModelInfo, evaluation: Evaluation, source: str) -> list[Block]:
    rubric = info.rubric
    by = (
        f"Given by the rubric {rubric.name}, {rubric.low} to {rubric.high}"
        if rubric.text
        else f"On the scale that the labels of the source cover, {rubric.low} to {rubric.high}"
    )
    origin = f"{by}; documents are kept from {rubric.threshold:g}. Source of the labels: {source or 'unknown'}."
    if evaluation.raters is None:
        return [Prose(f"{origin} Their single ratings are unknown, and therefore also their reliability.")]
    return [Prose(origin), *rater_blocks(evaluation.raters)]


def _data(info: ModelInfo, source: str) -> str:
    counts = info.lineage.get("documents", {})
    parts = ", ".join(f"{count} {part}" for part, count in counts.items())
    return f"Source {source}, {parts} documents. Near-duplicates and groups never straddle the parts."


def _gates(evaluation: Evaluation) -> str:
    return "\n".join(f"- {verdict.sentence()}" for verdict in evaluation.gates) or "No gate was run."


def _limits(info: ModelInfo, evaluation: Evaluation, source: str) -> list[str]:
    """Return the limits of the figures, as sentences."""
    limits = [
        f"The figures hold for documents like those of {source or 'its source'}; `assay evaluate` measures others.",
        "The model has learned the errors of the labels too: a figure here is agreement with labels, not quality.",
        f"Documents in languages other than {', '.join(info.languages)} are marked; their scores mean nothing.",
    ]
    if evaluation.read < 1:
        limits.append(
            f"The model does not read long documents whole: {1 - evaluation.read:.0%} of the test part's tokens are "
            "unread."
        )
    if not any(evaluation.seed_spread(name) is not None for name in evaluation.seeds):
        limits.append("The intervals are about this one model: they do not cover the variance over training seeds.")
    if evaluation.clusters < LEAST_CLUSTERS:
        limits.append(f"{evaluation.clusters} clusters of test documents are too few for an interval.")
    refused = [verdict.name for verdict in evaluation.gates if verdict.refused]
    unknown = [verdict.name for verdict in evaluation.gates if verdict.passed is None]
    if refused:
        limits.append(f"Refused by: {', '.join(refused)}. Do not promote the model without a reason.")
    if unknown:
        limits.append(f"Too few documents for a verdict on: {', '.join(unknown)}.")
    return limits


def _cost(evaluation: Evaluation) -> str:
    spent = evaluation.training
    if not spent:
        return "Unknown."
    cost = f"{spent['updates']:,.0f} updates over {spent['tokens']:,.0f} tokens in {spent['seconds']:,.1f} s."
    if refit := spent.get("refit_seconds"):
        cost += f" This includes {refit:,.1f} s for the fit to all labels."
    if learning := spent.get("learning_curve_seconds"):
        cost += f" This includes {learning:,.1f} s for the learning curve."
    if folds := spent.get("fold_models"):
        cost += f" This includes the {folds:.0f} fold models, which scored held-out documents for calibration."
    energy = "The energy was not measured: no counter could be read"
    if "joules" in spent:
        # 1 kWh is 3.6e6 J. The counters are those of the machine, not of this process.
        energy = f"{spent['joules'] / 3.6e6:,.4f} kWh by the counters of processors and GPUs, other programs included"
    if "processor_seconds" in spent:
        return f"{cost} {energy}; all processes together used {spent['processor_seconds']:,.1f} processor seconds."
    return f"{cost} {energy}."


def _settings(info: ModelInfo) -> dict[str, str]:
    training = info.lineage.get("training", {})
    return {name: str(training[name]) for name in ("loss", "epochs", "seed", "precision") if name in training}


def _further(info: ModelInfo, name: str, evaluation: Evaluation) -> Section:
    """Return the section on a further rubric."""
    rubric, counts = evaluation.rubric, info.lineage.get("others", {}).get(name, {}).get("documents", {})
    scope = (
        f"Output {info.output_of(name)} of the same network is the score by the rubric {name}, scale {rubric.low} to "
        f"{rubric.high}, kept from {rubric.keep_name}. It was trained and measured on a set of its own: "
        f"{', '.join(f'{count} {part}' for part, count in counts.items())} documents."
    )
    warnings = [*refit_blocks(evaluation), *[Callout(warning, "warn") for warning in evaluation.warnings]]
    return Section(f"Rubric {name}", [Prose(scope), *warnings, *figures(evaluation)])


def finish_model_folder(
    model: Path,
    evaluation: Evaluation,
    report: Path,
    output: Path,
    others: Mapping[str, tuple[Evaluation, Path]] | None = None,
    request: Mapping[str, Any] | None = None,
) -> None:
    """Copy the model that ships to the new folder `output`, and add `evaluation.json`, `report.html` and the card.

    The model in the folder `refit` ships, if there is one; the figures are those of `model` then, too. `others`:
    evaluation and report of each further rubric, by its name. They are written to `evaluation-NAME.json` and
    `report-NAME.html`. `request`: the options of the run. They are written to `request.json`, which `assay train
    --config` reads.
    """
    others = others or {}
    # Staged: the folder appears only when it is complete.
    with staged_folder(output) as folder:
        ships = model / REFIT if (model / REFIT).is_dir() else model
        shutil.copytree(ships, folder, dirs_exist_ok=True)
        measured = {"": (evaluation, report), **{f"-{name}": of for name, of in others.items()}}
        for suffix, (figured, page) in measured.items():
            # NaN is no JSON: other tools would refuse the file.
            fields = json.dumps(figured.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
            (folder / f"evaluation{suffix}.json").write_text(fields + "\n", encoding="utf-8")
            shutil.copyfile(page, folder / f"report{suffix}.html")
        if request is not None:
            # A source may be a URL with a password or a signature.
            fields = without_secrets(json.dumps(dict(request), indent=2, ensure_ascii=False, allow_nan=False))
            (folder / "request.json").write_text(fields + "\n", encoding="utf-8")
        card = model_card(ModelInfo.read(folder), evaluation, {name: figured for name, (figured, _) in others.items()})
        (folder / "README.md").write_text(card, encoding="utf-8")
