"""`assay watch`: check if inputs or scores have drifted since the model was calibrated."""

import argparse
import datetime
import os
from pathlib import Path

from assay.cli.options import add_registry, add_request, local, registry_of, request_of
from assay.errors import InputError
from assay.monitoring import DriftLookLog, WatchConfig, WatchRequest, WebhookConfig, notify, take_drift_look
from assay.options import options_of
from assay.sources import read_time

ALARM = 1
"""Exit status of an alarm."""
WINDOW = datetime.timedelta(hours=24)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--model", required=True, help="model folder, or version or alias of the registry")
    parser.add_argument("--output", required=True, type=local, help="the result, .json (and .html beside it)")
    window = parser.add_mutually_exclusive_group(required=True)
    window.add_argument("--log", help="score log of the service: the value of ASSAY_SERVE_LOG")
    window.add_argument("--scores", help="scores of a corpus: folder or URL that `assay score --output` was given")
    parser.add_argument("--since", help="start of the window of the log, ISO 8601 (default: 24 hours before its end)")
    parser.add_argument("--until", help="end of the window; UTC if it names no time zone (default: now)")
    parser.add_argument(
        "--reference", help="scores of a corpus to compare with (default: the calibration part, kept with the model)"
    )
    parser.add_argument("--looks", default="", help="folder or URL that counts the drift looks and remembers alarms")
    parser.add_argument(
        "--webhook",
        default="",
        metavar="FILE",
        help="file with the URL that is called on an alarm that does not cool down (default: the URL in ASSAY_WEBHOOK)",
    )
    parser.add_argument("--webhook-form", default="json", help="json or slack (default: json)")
    add_request(parser, options_of(WatchConfig))
    add_registry(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take a drift look and return the exit status.

    Raise InputError for what cannot be read or written, and for too small a window.
    """
    url = _webhook(arguments.webhook) if arguments.webhook else os.environ.get("ASSAY_WEBHOOK", "")
    webhook = WebhookConfig(url, arguments.webhook_form) if url else None
    since, until = _times(arguments)
    result = take_drift_look(
        WatchRequest(
            model=arguments.model,
            registry=registry_of(arguments),
            output=arguments.output,
            log=arguments.log or "",
            scores=arguments.scores or "",
            since=since,
            until=until,
            reference=arguments.reference or "",
            looks=arguments.looks,
            config=request_of(WatchConfig, arguments, options_of(WatchConfig)),
        )
    )
    for sentence in result.sentences:
        print(sentence)
    print(f"watch: {arguments.output} and {arguments.output.with_suffix('.html')}")
    if webhook and result.act:
        notify(result.message(), webhook)
    # The log comes last: a process that is killed before it reports the alarm twice instead of never.
    if arguments.looks:
        DriftLookLog(arguments.looks).append(result.look)
    return ALARM if result.alarm else 0


def _webhook(file: str) -> str:
    """Return the URL in a file. Raise InputError if it cannot be read, or if the URL itself is given."""
    if "://" in file:
        raise InputError(
            "--webhook names a file, and this is a URL, which everybody on this machine sees in the list of processes",
            fix="Set ASSAY_WEBHOOK to it, or name a file that holds it",
        )
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the webhook cannot be read: {error}", where=file, fix="Name a file that holds its URL"
        ) from error


def _times(arguments: argparse.Namespace) -> tuple[datetime.datetime, datetime.datetime]:
    if arguments.scores and (arguments.since or arguments.until):
        raise InputError("scores of a corpus have no times", fix="Leave --since and --until out")
    until = read_time(arguments.until) if arguments.until else datetime.datetime.now(datetime.UTC)
    return (read_time(arguments.since) if arguments.since else until - WINDOW), until
