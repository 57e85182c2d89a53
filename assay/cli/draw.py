"""`assay draw`: the documents of a corpus to label next, with the probabilities with which they were drawn."""

import argparse
from contextlib import nullcontext

from assay.annotation import DrawRequest, choose_documents
from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.options import options_of
from assay.registry import open_model
from assay.sources import open_corpus
from assay.storage import work_folder

SPELLED = {"source": "--corpus"}
OPTIONS = options_of(DrawRequest)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", required=True, type=local, help="new Parquet file of the documents to label")
    add_request(parser, OPTIONS, SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw the documents. Raise InputError for bad input."""
    request = request_of(DrawRequest, arguments, OPTIONS, SPELLED)
    corpus = open_corpus(request.source, request.columns, str(work_folder()), request.period)
    with open_model(request.model, registry_of(arguments)) if request.model else nullcontext() as model:
        drawn = choose_documents(request, corpus, arguments.output, model)
    lowest, highest = drawn["inclusion"].min(), drawn["inclusion"].max()
    print(f"{len(drawn):,} documents with probabilities from {lowest:.3g} to {highest:.3g}: {arguments.output}")
    print("label them and keep the column inclusion: evaluation then holds for the corpus")
    return 0
