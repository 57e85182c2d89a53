"""`assay score`: a corpus in, sidecars of scores out."""

import argparse
from typing import Any

from assay.cli.options import add_registry, add_request, registry_of, request_of
from assay.errors import InputError
from assay.options import options_of, subset
from assay.registry import open_model
from assay.scoring import (
    Certificate,
    Measurement,
    Scores,
    score_corpus,
    score_from_column,
    score_in_cascade,
    score_vectors,
)
from assay.selection import FilteringRequest
from assay.storage import place_or_default

SPELLED = {"source": "input"}
OPTIONS = subset(options_of(FilteringRequest), "source", "model", "columns", "period", "scoring", "cascade")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--output",
        default="",
        help="folder or URL of the scores; existing ones are kept (default: ASSAY_SCORES, otherwise scores in the work "
        "folder)",
    )
    add_request(parser, OPTIONS, SPELLED)
    parser.add_argument(
        "--processes",
        type=int,
        help="processes that score, each with its part of the cores (default: as many as pay for their start, at most "
        "one a core)",
    )
    parser.add_argument(
        "--from-embeddings",
        action="store_true",
        help="score by the vectors that `--embeddings int8` kept, for a model with the same encoder and another head "
        "(recipe head)",
    )
    parser.add_argument(
        "--from-column",
        default="",
        metavar="COLUMN",
        help="take the numbers of a column of the corpus as scores, without a model, for `assay mix`",
    )
    parser.add_argument(
        "--token-column",
        default="",
        metavar="COLUMN",
        help="column with the tokens of each document, with --from-column (default: they are counted)",
    )
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score, print the totals, and return the exit status. Raise InputError for bad input."""
    request = request_of(FilteringRequest, arguments, OPTIONS, SPELLED)
    output = place_or_default(arguments.output, "ASSAY_SCORES", "scores")
    if arguments.from_embeddings and request.cascade.cheap:
        raise InputError("--cheap and --from-embeddings at once", fix="Give one of them")
    if arguments.from_column:
        return _from_column(request, arguments, output)
    scores = _score(request, registry_of(arguments), output, arguments.processes, vectors=arguments.from_embeddings)
    totals = scores.totals
    print(f"{totals.documents:,} documents, {totals.scored:,} with a score, {totals.in_scope:,} of them in scope")
    for reason, count in totals.reasons.items():
        print(f"  no score: {reason} {count:,}")
    if certificate := Certificate.of(scores.folder):
        print(certificate.sentence())
    if measured := Measurement.of(scores.folder):
        print(measured.sentence())
    print(
        f"{totals.kept:,} reach the model's threshold, {totals.kept_tokens:,} tokens ({scores.folder.plan.tokenizer})"
    )
    print(f"scores: {scores.folder.url}")
    return 0


def _from_column(request: FilteringRequest, arguments: argparse.Namespace, output: str) -> int:
    if arguments.from_embeddings or request.cascade.cheap:
        raise InputError("--from-column reads no model", fix="Leave --cheap and --from-embeddings out")
    scores = score_from_column(
        request.source,
        arguments.from_column,
        request.columns,
        output,
        request.scoring,
        token_column=arguments.token_column,
        period=request.period,
    )
    totals = scores.totals
    print(f"{totals.documents:,} documents, {totals.scored:,} with a number in {arguments.from_column}")
    print(f"{totals.budget_tokens:,} tokens ({scores.folder.plan.tokenizer})")
    print(f"scores: {scores.folder.url}")
    return 0


def _score(request: FilteringRequest, registry: str, output: str, processes: int | None, *, vectors: bool) -> Scores:
    how: dict[str, Any] = {"period": request.period, "processes": processes}
    with open_model(request.model, registry) as model:
        if vectors:
            return score_vectors(request.source, model, request.columns, output, **how)
        if not request.cascade.cheap:
            return score_corpus(request.source, model, request.columns, output, request.scoring, **how)
        with open_model(request.cascade.cheap, registry) as cheap:
            return score_in_cascade(
                request.source, model, cheap, request.columns, output, request.scoring, request.cascade, **how
            )
