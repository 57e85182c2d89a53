"""`assay annotate`: documents and a rubric in, a labelled table out, by one or more judges."""

import argparse

from assay.annotation import AnnotationRequest, annotate
from assay.cli.options import add_request, request_of
from assay.options import options_of
from assay.storage import place_or_default

SPELLED = {"source": "--data"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", required=True, help="the new labelled snapshot, a folder or URL")
    parser.add_argument(
        "--answers",
        default="",
        help="folder or URL of the answers, where a stopped run resumes (default: ASSAY_ANSWERS, otherwise answers in "
        "the work folder)",
    )
    add_request(parser, options_of(AnnotationRequest), SPELLED)


def run(arguments: argparse.Namespace) -> int:
    """Label, print the counts, and return the exit status. Raise InputError for bad input."""
    request = request_of(AnnotationRequest, arguments, options_of(AnnotationRequest), SPELLED)
    store = place_or_default(arguments.answers, "ASSAY_ANSWERS", "answers")
    labels, asked = annotate(request, arguments.output, store)
    counts = labels.manifest.provenance["annotation"]["counts"]
    print(f"{counts['labelled']:,} of {counts['documents']:,} documents labelled by {counts['answers']:,} answers")
    for reason, count in counts["unanswered"].items():
        print(f"! {count:,} without a label: {reason}")
    if asked.questions:
        print(
            f"{asked.reused:,} of {asked.questions:,} answers existed; {asked.calls:,} calls, {asked.spent:.4f} spent"
        )
    if asked.unsure:
        print(f"! {asked.unsure:.4f} of it is for answers that were lost, at most")
    print(f"labels and report: {arguments.output}")
    return 0
