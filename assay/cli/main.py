"""The command `assay`: it imports the file of the chosen command, and nothing of the others."""

import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from assay.cli.extras import missing_extra
from assay.cli.parser import Parser
from assay.errors import InputError
from assay.parallel import QUIET
from assay.progress import say

COMMANDS = {
    "draw": "draw the documents of a corpus to label next, with known probabilities",
    "dispute": "send documents on which judges differ to people, and take their labels in",
    "annotate": "label documents by judges with a rubric; the same command resumes after a stop",
    "train": "train and measure a model on labelled documents",
    "sagemaker": "train as a job of SageMaker, or write a SageMaker pipeline that trains and releases",
    "vertex": "train as a custom job of Vertex AI",
    "distil": "train a cheap model on the scores that a full one gives to documents of a corpus",
    "evaluate": "measure a model on labelled documents that it has not seen",
    "compare": "compare two models on labelled documents that neither has seen",
    "challenge": "check if a challenger may become champion; status 1 if not",
    "registry": "manage versions of models: add, list, show, promote, roll back, mirror, write for Triton",
    "score": "score a corpus into sidecars; the same command resumes after a stop",
    "select": "select the best documents of a scored corpus as a snapshot",
    "mix": "make a mixture of a scored corpus: how often each document is used, by quality, topic and budget",
    "audit": "measure precision and recall of a selection by a labelled sample; status 1 if a promise is broken",
    "serve": "serve a registered model over HTTP until Ctrl-C; settings: ASSAY_SERVE_…",
    "deploy": "put a registered version where clients reach it, and check it",
    "deployment": "manage what was deployed: status, rollback, stop, restore, keep",
    "snapshot": "manage versions of a corpus: build, show, diff, verify, delete documents, write a .dvc file",
    "watch": "check if inputs or scores have drifted; status 0 if calm, 1 on an alarm, 2 for bad input",
    "state": "write champion, scores over time, alarms, decisions and cost on one page",
}
"""Command -> help. The file of a command is `assay/cli/<command>.py`, with `add(parser)` and `run(arguments)`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0: done. 1: `snapshot diff` found differences, `challenge` did not pass, `deployment status` found nothing that
    serves, `watch` raised an alarm, `audit` found a promise broken. 2: an input cannot be used; one line on stderr
    states what. 130: stopped by the user.
    """
    for name, value in QUIET.items():  # before any library that computes is imported
        os.environ.setdefault(name, value)
    command = "assay"
    try:
        options = _parser().parse_args(arguments)
        command = f"assay {options.command}"
        return int(_module(options.command).run(options))
    except InputError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (message := missing_extra(error)) is None:
            raise
        print(f"{command}: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("stopped; the same command resumes: training from the last checkpoint, scoring from the last part")
        return 130


def _parser() -> Parser:
    parser = Parser(prog="assay", description="Train, prove and run document-quality classifiers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.complete = lambda chosen, name=name: _module(name).add(chosen)
    return parser


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"assay.cli.{command}")
