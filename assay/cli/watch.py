"""`assay watch`: whether what is asked and answered has changed since the model was calibrated."""

import argparse
import datetime
import os
from collections.abc import Callable
from pathlib import Path

from assay.errors import InputError

ALARM = 1
"""Exit status where there is an alarm."""
WINDOW = datetime.timedelta(hours=24)


def add_watch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, local: Callable[[str], Path]) -> None:
    """Add the command. `local` reads a path of this machine."""
    watch = commands.add_parser(
        "watch", help="whether inputs or scores have changed; status 0 where calm, 1 on an alarm, 2 for bad input"
    )
    watch.add_argument("--model", required=True, help="model folder, or version or alias of the registry")
    watch.add_argument("--registry", default="", help="(default: ASSAY_REGISTRY, else work/registry)")
    looked = watch.add_mutually_exclusive_group(required=True)
    looked.add_argument("--log", help="score log of the service: what ASSAY_SERVE_LOG was set to")
    looked.add_argument("--scores", help="scores of a corpus: what `assay score --output` was given")
    watch.add_argument("--since", help="begin of the window of the log, ISO 8601 (default: 24 hours before its end)")
    watch.add_argument("--until", help="its end; without a time zone, UTC (default: now)")
    watch.add_argument(
        "--reference", help="scores of a corpus to compare with (default: the calibration part, kept with the model)"
    )
    watch.add_argument("--output", required=True, type=local, help="the result, .json (and .html beside it)")
    watch.add_argument("--looks", default="", help="folder or URL that counts the looks and remembers alarms")
    watch.add_argument("--every-hours", type=float, default=1.0, help="from one look to the next (default: 1)")
    watch.add_argument(
        "--false-alarms-a-year", type=float, default=0.1, help="expected while nothing changes (default: 0.1)"
    )
    watch.add_argument("--least-documents", type=int, default=200, help="of a window (default: 200)")
    watch.add_argument(
        "--cool-down-hours", type=float, default=24.0, help="after an alarm, further ones are only told (default: 24)"
    )
    watch.add_argument(
        "--webhook", default="", help="URL to tell of an alarm that does not cool down (default: ASSAY_WEBHOOK)"
    )
    watch.add_argument("--webhook-form", default="json", help="json or slack (default: json)")


def run(options: argparse.Namespace) -> int:
    """Exit status. Raises InputError for what cannot be read or written, and for too small a window."""
    from assay.monitoring import DriftLookLog, WatchConfig, WatchRequest, WebhookConfig, notify, take_drift_look

    config = WatchConfig(
        every_hours=options.every_hours,
        false_alarms_a_year=options.false_alarms_a_year,
        least_documents=options.least_documents,
        cool_down_hours=options.cool_down_hours,
    )
    url = options.webhook or os.environ.get("ASSAY_WEBHOOK", "")
    webhook = WebhookConfig(url, options.webhook_form) if url else None
    since, until = _times(options)
    result = take_drift_look(
        WatchRequest(
            model=options.model,
            registry=options.registry or os.environ.get("ASSAY_REGISTRY", "work/registry"),
            output=options.output,
            log=options.log or "",
            scores=options.scores or "",
            since=since,
            until=until,
            reference=options.reference or "",
            looks=options.looks,
            config=config,
        )
    )
    for sentence in result.sentences:
        print(sentence)
    print(f"watch: {options.output} and {options.output.with_suffix('.html')}")
    if webhook and result.act:
        notify(result.message(), webhook)
    # Last: who is killed before looks again, and an alarm is rather told twice than never.
    if options.looks:
        DriftLookLog(options.looks).append(result.look)
    return ALARM if result.alarm else 0


def _times(options: argparse.Namespace) -> tuple[datetime.datetime, datetime.datetime]:
    from assay.sources import read_time

    if options.scores and (options.since or options.until):
        raise InputError("scores of a corpus have no times", fix="Leave --since and --until out")
    until = read_time(options.until) if options.until else datetime.datetime.now(datetime.UTC)
    return (read_time(options.since) if options.since else until - WINDOW), until
