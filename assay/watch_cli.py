"""`assay watch`: whether what is asked and answered has changed since the model was calibrated."""

import argparse
import datetime
import json
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
    from assay.filtering import calibrated_info, open_model
    from assay.model import Profile
    from assay.monitoring import (
        LookLog,
        WatchConfig,
        WebhookConfig,
        notify,
        watch,
        watch_report,
        window_of_log,
        window_of_scores,
    )
    from assay.report import write_html
    from assay.storage import digest_folder, require_folder, staged_file

    if options.output.suffix != ".json" or options.output.is_dir():  # the page beside it would take its place
        raise InputError(
            "the result is a file of JSON", where=str(options.output), fix="Give a name that ends in .json"
        )
    for place in filter(None, (options.log, options.looks)):
        require_folder(place)
    config = WatchConfig(
        every_hours=options.every_hours,
        false_alarms_a_year=options.false_alarms_a_year,
        least_documents=options.least_documents,
        cool_down_hours=options.cool_down_hours,
    )
    url = options.webhook or os.environ.get("ASSAY_WEBHOOK", "")
    webhook = WebhookConfig(url, options.webhook_form) if url else None
    since, until = _times(options)
    registry = options.registry or os.environ.get("ASSAY_REGISTRY", "work/registry")
    with open_model(options.model, registry) as model:
        info, digest = calibrated_info(model), digest_folder(model)
        if options.reference:
            other = window_of_scores(options.reference, digest, info)
            reference, called = other.profile, other.words
        else:
            reference, called = Profile.read(model), "the calibration part"
    window = (
        window_of_log(options.log, digest[:12], info, since, until)
        if options.log
        else window_of_scores(options.scores, digest, info)
    )
    looks = LookLog(options.looks) if options.looks else None
    result = watch(digest[:12], reference, window, config, called=called, looks=looks)
    with staged_file(options.output) as file:
        file.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    unread: list[str] = []
    former = looks.history(skipped=unread) if looks else []
    shown = [*(look for look in former if look.version == result.version), result.look(len(former) + 1)]
    page = options.output.with_suffix(".html")
    write_html(watch_report(result, reference, window.profile, info.rubric, shown), page)
    for sentence in (*result.sentences, *(f"! {message}" for message in unread)):
        print(sentence)
    print(f"watch: {options.output} and {page}")
    if webhook and result.act:
        notify({"title": f"{info.rubric.name}: drift", **result.to_json()}, webhook)
    # Last: who is killed before looks again, and an alarm is rather told twice than never.
    if looks:
        looks.append(result.look)
    return ALARM if result.alarm else 0


def _times(options: argparse.Namespace) -> tuple[datetime.datetime, datetime.datetime]:
    if options.scores and (options.since or options.until):
        raise InputError("scores of a corpus have no times", fix="Leave --since and --until out")
    until = _time(options.until) if options.until else datetime.datetime.now(datetime.UTC)
    return (_time(options.since) if options.since else until - WINDOW), until


def _time(text: str) -> datetime.datetime:
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no time", fix="Give one as 2026-01-31T12:00, or with a time zone") from error
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
