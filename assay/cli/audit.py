"""`assay audit`: a labelled sample of a selection and of the rest gives precision and recall of this corpus."""

import argparse
from pathlib import Path

from assay.audit import AuditRequest, draw_audit, finish_audit
from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.errors import InputError
from assay.options import given_arguments, options_of
from assay.registry import open_model
from assay.storage import place_or_default

SPELLED = {"source": "--corpus"}
OPTIONS = options_of(AuditRequest)
BROKEN = 1
"""Exit status of a promise that does not hold."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "folder",
        type=local,
        help="folder of the audit: new with --selection, which draws the sample; without it, its labels are measured",
    )
    parser.add_argument(
        "--labels", default="", help="file with the columns id and label (default: the file to fill in the folder)"
    )
    parser.add_argument(
        "--scores",
        default="",
        help="folder or URL of the scores (default: ASSAY_SCORES, otherwise scores in the work folder)",
    )
    add_request(parser, OPTIONS, SPELLED)
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw a sample or measure its labels, and return the exit status. Raise InputError for bad input."""
    folder: Path = arguments.folder
    if given_arguments(arguments, OPTIONS) or arguments.config:
        if arguments.labels:
            raise InputError("--selection draws a sample, and --labels measures one", fix="Give one of them")
        request = request_of(AuditRequest, arguments, OPTIONS, SPELLED)
        scores = place_or_default(arguments.scores, "ASSAY_SCORES", "scores")
        with open_model(request.model, registry_of(arguments)) as model:
            draw_audit(request, model, scores, folder)
        print(f"fill the column label of {folder / 'to-label.csv'}, then run: assay audit {folder}")
        return 0
    found = finish_audit(folder, arguments.labels)
    print(f"precision {found.precision.in_words()}, recall {found.recall.in_words()}, from {found.labels} labels")
    print(found.sentence)
    print(f"audit: {folder / 'audit.json'} and {folder / 'audit.html'}")
    return BROKEN if found.verdict == "broken" else 0
