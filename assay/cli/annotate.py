"""`assay annotate`: documents and a rubric in, a labelled table out, by one or more judges."""

import argparse

from assay.annotation import AnnotationRequest, annotate, ask_by_batch, take_batch
from assay.cli.options import add_request, local, request_of
from assay.errors import InputError
from assay.options import options_of
from assay.storage import place_or_default

SPELLED = {"source": "--data"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--output", default="", help="the new labelled snapshot, a folder or URL")
    parser.add_argument(
        "--batch-out",
        type=local,
        metavar="FOLDER",
        help="new folder for the missing questions as OpenAI batch files; nothing is sent, and no table is written",
    )
    parser.add_argument(
        "--batch-in",
        type=local,
        metavar="PATH",
        help="file or folder with the answers to such questions; with it, judges are not asked",
    )
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
    if arguments.batch_out:
        written = ask_by_batch(request, arguments.batch_out, store)
        print(f"{written:,} questions: {arguments.batch_out}")
        return 0
    if not arguments.output:
        raise InputError("no place for the labels", where="--output", fix="Give --output, or --batch-out")
    if arguments.batch_in:
        found = take_batch(request, arguments.batch_in, store)
        print(f"{found.stored:,} new answers")
        for reason, count in found.passed.items():
            print(f"! {count:,} lines without a new answer: {reason}")
    labels, asked = annotate(request, arguments.output, store, ask_judges=not arguments.batch_in)
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
