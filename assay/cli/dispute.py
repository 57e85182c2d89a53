"""`assay dispute`: documents on which judges differ most become a file for people, whose labels become answers."""

import argparse

from assay.annotation import (
    combine_answers,
    measure_agreement,
    read_answers,
    send_to_people,
    take_from_people,
)
from assay.cli.options import local
from assay.errors import InputError
from assay.rubric import load_rubric
from assay.sources import Columns, open_corpus
from assay.storage import work_folder


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "answers", type=local, help="answers of judges: Parquet or CSV with the columns id, judge, repeat and grade"
    )
    parser.add_argument("--output", required=True, type=local, help="new file: CSV to fill, or answers as Parquet")
    parser.add_argument("--texts", default="", help="documents that were judged, any source; writes the CSV to fill")
    parser.add_argument("--text-column", default="text", help="column of the documents (default: %(default)s)")
    parser.add_argument("--documents", type=int, default=100, help="most documents in the file (default: %(default)s)")
    parser.add_argument(
        "--spread", type=float, default=1.0, help="least difference of the judges, in grades (default: %(default)s)"
    )
    parser.add_argument("--labels", type=local, help="the filled CSV; adds its labels to the answers")
    parser.add_argument("--person", default="people", help="name of the judge who filled it (default: %(default)s)")
    parser.add_argument("--rubric", default="education", help="built-in name or Markdown file (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Write the file to fill, or take it in. Raise InputError for bad input."""
    if bool(arguments.texts) == bool(arguments.labels):
        raise InputError("--texts writes a file to fill, and --labels takes one in", fix="Give one of them")
    answers, rubric = read_answers(arguments.answers), load_rubric(arguments.rubric)
    if arguments.labels:
        added = take_from_people(
            answers, arguments.labels, rubric.low, rubric.high, arguments.output, judge=arguments.person
        )
        print(f"{added:,} labels by {arguments.person} added: {arguments.output}")
        return 0
    for sentence in measure_agreement(answers, rubric.low, rubric.high, resamples=200).sentences():
        print(sentence)
    for judge in combine_answers(answers, rubric.low, rubric.high).judges:
        print(f"{judge.judge}: {judge.answers:,} answers, {judge.bias:+.2f} off the labels, noise {judge.noise:.2f}")
    texts = open_corpus(arguments.texts, Columns(text=arguments.text_column), str(work_folder()))
    found = send_to_people(
        answers,
        texts,
        rubric.low,
        rubric.high,
        arguments.output,
        documents=arguments.documents,
        least=arguments.spread,
    )
    print(f"{len(found):,} documents; the judges differ by {found['spread'].iloc[0]:g} grades at most")
    print(f"fill the column label of {arguments.output}, then give it with --labels")
    return 0
