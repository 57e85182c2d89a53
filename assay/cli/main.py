"""The command `assay`: training, proving, scoring, serving, deploying and watching, all without Flyte."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli import challenge as cli_challenge
from assay.cli import deploy as cli_deploy
from assay.cli import registry as cli_registry
from assay.cli import snapshot as cli_snapshot
from assay.cli import state as cli_state
from assay.cli import watch as cli_watch
from assay.errors import InputError
from assay.progress import say

if TYPE_CHECKING:  # the rooms are slow to import, and `assay --help` needs none
    from assay.evaluation import Evaluation
    from assay.sources import Columns


def _local(place: str) -> Path:
    """A path of this machine. `Path` would make a folder `s3:` of a URL."""
    if "://" in place:
        raise argparse.ArgumentTypeError(f"{place} is a URL; name a place on this machine")
    return Path(place)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="assay", description="Document-quality classifiers: train, prove, run.")
    commands = parser.add_subparsers(dest="command", required=True)

    train = commands.add_parser("train", help="labelled documents in, a measured model folder out")
    train.add_argument("--data", required=True, help="Parquet, JSONL or CSV: file, folder, URL, or hf://datasets/…")
    train.add_argument("--output", required=True, type=_local, help="the new model folder")
    _column_options(train)
    train.add_argument("--rubric", default="", help="built-in name or Markdown file (default: the labels' own scale)")
    train.add_argument("--threshold", type=float, help="label from which a document is kept")
    train.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="RUBRIC[:THRESHOLD]=SOURCE",
        help="labels by a further rubric, which the same network learns and scores by; may be repeated. RUBRIC is a "
        "built-in name, a Markdown file, or any other bare name: the labels' own scale, called so. THRESHOLD: label "
        "from which a document is kept. The columns are named as in --data",
    )
    train.add_argument("--recipe", default="default", help="training settings, by name")
    train.add_argument("--encoder", help="packaged name, folder or OWNER/NAME@REVISION (default: the recipe's)")
    train.add_argument(
        "--loss", choices=["regression", "ordinal", "binary"], help="what is minimised (default: the recipe's)"
    )
    train.add_argument("--trained-layers", type=int, help="last layers that learn, 0: the head (default: the recipe's)")
    train.add_argument(
        "--keep",
        default="labels",
        help="what is kept: labels (as many as reach the threshold), f1, share=0.1, precision=0.8, recall=0.9 "
        "(with 95 %% confidence; with ~ for =, as measured)",
    )
    train.add_argument(
        "--folds", type=int, help="cross-fitting for little data: models that leave a fold out each (default: none)"
    )
    train.add_argument("--weight-column", default="", help="how much each label counts in training, above 0")
    train.add_argument("--epochs", type=int, help="passes over the training part (default: the recipe's)")
    train.add_argument("--window-tokens", type=int, help="tokens read at once (default: the recipe's)")
    train.add_argument(
        "--window-count",
        type=int,
        help="windows of so many tokens read of a document, from its beginning to its end (default: the recipe's, 1)",
    )
    train.add_argument("--precision", choices=["auto", "fp32", "bf16"], help="(default: the recipe's)")
    train.add_argument(
        "--scoring-precision", choices=["fp32", "bf16"], help="in which the model scores for good (default: fp32)"
    )
    train.add_argument("--seed", type=int, default=0, help="of split, head and order (default: 0)")
    train.add_argument(
        "--seeds", type=int, default=1, help="models that differ in the seed alone, to say what it matters (default: 1)"
    )
    train.add_argument("--processes", type=int, default=1, help="training processes on this machine (default: 1)")
    _slice_option(train)
    train.add_argument("--ledger", default="", help="folder or URL that remembers each document's side of the split")
    train.add_argument(
        "--max-quarantined", type=float, default=0.05, help="share of bad rows that fails (default: 0.05)"
    )

    _rater_option(train)
    _gate_option(train)

    evaluate = commands.add_parser("evaluate", help="how good a model is on labelled documents it has not seen")
    evaluate.add_argument("--model", required=True, type=_local)
    evaluate.add_argument("--data", required=True)
    evaluate.add_argument("--output", required=True, type=_local, help="the report, .json (and .html beside it)")
    _column_options(evaluate)
    evaluate.add_argument(
        "--rubric", default="", help="of a model with several, the labels' one (default: its main one)"
    )
    _slice_option(evaluate)
    _rater_option(evaluate)
    _gate_option(evaluate)

    compare = commands.add_parser("compare", help="two models on labelled documents that neither has seen")
    compare.add_argument("a", help="model folder, or version or alias of the registry")
    compare.add_argument("b", help="the other; differences above 0 mean that the first is better")
    compare.add_argument("--data", required=True)
    compare.add_argument("--output", required=True, type=_local, help="the comparison, .json (and .html beside it)")
    compare.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    _column_options(compare)
    _slice_option(compare)

    judge = cli_challenge.add_challenge(commands)
    judge.add_argument("--output", required=True, type=_local, help="the verdict, .json (and .html beside it)")
    judge.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    _column_options(judge)
    _slice_option(judge)
    _gate_option(judge)

    score = commands.add_parser(
        "score", help="a corpus in, sidecars of scores out; the same command goes on after a stop"
    )
    _corpus_options(score)
    score.add_argument("--output", required=True, help="folder or URL for scores; those there are not made again")
    score.add_argument("--rows-per-part", type=int, default=5_000, help="documents that appear at once (default: 5000)")
    score.add_argument(
        "--tokenizer", default="", help="what counts tokens: folder or OWNER/NAME@REVISION (default: an estimate)"
    )
    score.add_argument("--slice-by", default="", help="column whose values are counted apart")

    select = commands.add_parser("select", help="scores in, the best documents out as a snapshot")
    _corpus_options(select)
    select.add_argument("--scores", required=True, help="what `assay score --output` was given")
    select.add_argument("--output", required=True, help="the new selection, a folder or URL")
    select.add_argument("--token-budget", type=int, help="so many tokens of the best documents")
    select.add_argument("--share", type=float, help="so large a share of the documents, the best of them")
    select.add_argument("--threshold", type=float, help="documents from this grade (default: the model's own)")
    select.add_argument("--keep", help="documents from the score that stands for f1, precision=0.8 or recall=0.9")
    select.add_argument("--by", default="", help="of a model with several rubrics, the one that ranks (default: main)")
    select.add_argument("--keep-duplicates", action="store_true", help="take near-duplicates of taken documents too")

    serve = commands.add_parser("serve", help="a registered model over HTTP, until Ctrl-C; settings: ASSAY_SERVE_…")
    serve.add_argument("--model", default="champion", help="version or alias of the registry (default: champion)")
    serve.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    serve.add_argument("--bentos", type=_local, help="where Bentos are built (default: work/bentos)")
    serve.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1)")
    serve.add_argument("--port", type=int, default=3000, help="(default: 3000)")

    cli_registry.add_registry(commands)
    cli_watch.add_watch(commands, local=_local)
    cli_state.add_state(commands, local=_local)
    cli_snapshot.add_snapshot(commands)
    cli_deploy.add_deployment(commands)
    return parser


def _corpus_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", help="snapshot, Parquet, JSONL or CSV: file, folder, URL; hf://datasets/…; installed-docs[:PACKAGE,…]"
    )
    parser.add_argument("--model", required=True, help="model folder, or version or alias of the registry")
    parser.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    parser.add_argument("--text-column", default="text", help="(default: text)")
    parser.add_argument("--id-column", default="", help="(default: id, else a digest of the text)")


def _column_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text-column", default="text", help="(default: text)")
    parser.add_argument("--label-column", default="label", help="(default: label)")
    parser.add_argument("--group-by", default="", help="documents that share its value stay on one side of the split")
    parser.add_argument("--id-column", default="", help="(default: id, else a digest of the text)")


def _slice_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--slice-by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column whose values the report tells apart; may be given again",
    )


def _rater_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rater-columns",
        type=lambda names: tuple(name for name in names.split(",") if name),
        default=(),
        metavar="COLUMN,COLUMN,…",
        help="single ratings that the label was made of: how far they agree, and what that hides",
    )


def _gate_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gate-limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="from where on a gate refuses, such as shortcuts.excess=0.3; may be given again",
    )


def _train(options: argparse.Namespace) -> None:
    from assay.gates import read_limits
    from assay.model import KeepTarget
    from assay.pipeline import Labels, TrainingRequest, train_and_evaluate
    from assay.training import recipe

    config = recipe(
        options.recipe,
        encoder=options.encoder,
        loss=options.loss,
        trained_layers=options.trained_layers,
        epochs=options.epochs,
        folds=options.folds,
        precision=options.precision,
        scoring_precision=options.scoring_precision,
        window_tokens=options.window_tokens,
        window_count=options.window_count,
        seed=options.seed,
    )
    request = TrainingRequest(
        source=options.data,
        columns=replace(_columns(options), weight=options.weight_column),
        output=options.output,
        config=config,
        keep=KeepTarget.parse(options.keep),
        rubric=options.rubric,
        threshold=options.threshold,
        slice_by=tuple(options.slice_by),
        rater_columns=options.rater_columns,
        ledger=options.ledger,
        max_quarantined=options.max_quarantined,
        processes=options.processes,
        seeds=options.seeds,
        also=tuple(Labels.parse(given) for given in options.also),
        gates=read_limits(options.gate_limit),
    )
    for rubric, evaluation in train_and_evaluate(request).items():
        _show(evaluation, rubric if request.also else "")
    print(f"model, card and report: {options.output}")


def _evaluate(options: argparse.Namespace) -> None:
    from assay.evaluation import evaluate_elsewhere
    from assay.gates import read_limits

    evaluation = evaluate_elsewhere(
        options.model,
        options.data,
        _columns(options),
        output=options.output,
        rubric=options.rubric,
        slice_by=options.slice_by,
        rater_columns=options.rater_columns,
        gates=read_limits(options.gate_limit),
    )
    _show(evaluation)
    print(f"report: {options.output} and {options.output.with_suffix('.html')}")


def _compare(options: argparse.Namespace) -> None:
    from assay.evaluation import compare_models, comparison_table
    from assay.registry import open_model
    from assay.report import print_table

    registry = _registry(options)
    with open_model(options.a, registry) as one, open_model(options.b, registry) as other:
        comparison = compare_models(
            (one, other),
            options.data,
            _columns(options),
            output=options.output,
            names=(options.a, options.b),
            slice_by=options.slice_by,
        )
    print_table(f"On {comparison.documents} documents that neither has seen", comparison_table(comparison))
    print(comparison.sentence())
    print(f"comparison: {options.output} and {options.output.with_suffix('.html')}")


def _show(evaluation: "Evaluation", rubric: str = "") -> None:
    from assay.evaluation import summary_table
    from assay.report import print_table

    which = f"{rubric}: on" if rubric else "On"
    print_table(f"{which} {evaluation.documents} documents the model never saw", summary_table(evaluation))
    for warning in evaluation.warnings:
        print(f"! {warning}")


def _score(options: argparse.Namespace) -> None:
    from assay.registry import open_model
    from assay.scoring import ScoringConfig, score_corpus

    config = ScoringConfig(options.rows_per_part, options.tokenizer, options.slice_by)
    with open_model(options.model, _registry(options)) as model:
        scores = score_corpus(options.input, model, _corpus_columns(options), options.output, config)
    totals = scores.totals
    print(f"{totals.documents:,} documents, {totals.scored:,} with a score, {totals.in_scope:,} of them in scope")
    for reason, count in totals.reasons.items():
        print(f"  no score: {reason} {count:,}")
    print(
        f"{totals.kept:,} reach the model's threshold, {totals.kept_tokens:,} tokens ({scores.folder.plan.tokenizer})"
    )
    print(f"scores: {scores.folder.url}")


def _select(options: argparse.Namespace) -> None:
    from assay.registry import open_model
    from assay.report import print_table
    from assay.selection import SelectionRequest, funnel_table, promise, select_corpus

    request = SelectionRequest(
        options.token_budget,
        options.share,
        options.threshold,
        options.keep_duplicates,
        keep=options.keep,
        by=options.by,
    )
    with open_model(options.model, _registry(options)) as model:
        selection = select_corpus(
            options.input, model, _corpus_columns(options), options.scores, request, options.output
        )
    print_table(f"Selected: {request.in_words()}", funnel_table(selection))
    print(promise(selection))
    print(f"selection, data card and report: {options.output}")


def _serve(options: argparse.Namespace) -> None:
    from assay.progress import stage
    from assay.registry import Registry
    from assay.serving import build_bento, serve_forever

    registry = Registry(_registry(options))
    version = registry.get(options.model)
    output = (options.bentos or Path(os.environ.get("ASSAY_WORK", "work")) / "bentos") / version.name
    # Built anew each time: code that changed since would be served unnoticed otherwise.
    with stage("Package"), registry.open(version.name) as model:
        build_bento(model, version.name, output, created=version.created, replace=True)
        say(f"{options.model}, version {version.name}: {output}")
    serve_forever(output, port=options.port, host=options.host)


def _registry(options: argparse.Namespace) -> str:
    return options.registry or os.environ.get("ASSAY_REGISTRY", "work/registry")


def _corpus_columns(options: argparse.Namespace) -> "Columns":
    from assay.sources import Columns

    return Columns(text=options.text_column, id=options.id_column)


def _columns(options: argparse.Namespace) -> "Columns":
    from assay.sources import Columns

    return Columns(text=options.text_column, label=options.label_column, group=options.group_by, id=options.id_column)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 1 of `snapshot diff` where something differs, of `judge` where it does not pass, of `deployment
    status` where nothing serves, of `watch` on an alarm; 2 after one line that says what was wrong; 130 where the user
    stopped it."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "snapshot":
            return cli_snapshot.run(options)
        if options.command == "registry":
            return cli_registry.run(options, _registry(options))
        if options.command == "challenge":
            return cli_challenge.run(options, _columns(options), _registry(options))
        if options.command in ("deploy", "deployment"):
            return cli_deploy.run(options)
        if options.command == "watch":
            return cli_watch.run(options)
        if options.command == "state":
            return cli_state.run(options)
        run = {
            "train": _train,
            "evaluate": _evaluate,
            "compare": _compare,
            "score": _score,
            "select": _select,
            "serve": _serve,
        }[options.command]
        run(options)
    except InputError as error:
        print(f"assay {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("stopped; the same command goes on: from the last checkpoint in training, from the last part in scoring")
        return 130
    return 0
