"""One drift look at a model: read window and reference, compare them, write the result and its page. Without Flyte."""

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import InputError
from assay.model import Profile, calibrated_info
from assay.monitoring.config import WatchConfig
from assay.monitoring.looks import DriftLookLog
from assay.monitoring.present import watch_report
from assay.monitoring.watch import WatchResult, watch
from assay.monitoring.window import window_of_log, window_of_scores
from assay.progress import say
from assay.registry import open_model
from assay.report import write_html
from assay.storage import digest_folder, require_folder, staged_file


@dataclass(frozen=True)
class WatchRequest:
    """The request of a drift look: model, window, reference and output."""

    model: str
    """Model folder, or version or alias of the registry."""
    registry: str
    output: Path
    """File of the result, .json; the page is written next to it."""
    log: str = ""
    """Folder or URL of the score log of the service. Give this or `scores`."""
    scores: str = ""
    """Folder or URL of the scores of a corpus."""
    since: datetime.datetime | None = None
    """Start of the window of the log."""
    until: datetime.datetime | None = None
    """End of the window, which is not in it."""
    reference: str = ""
    """Folder or URL of scores of a corpus to compare with. Empty: the calibration part, kept with the model."""
    looks: str = ""
    """Folder or URL of the log of drift looks. Empty: no log is kept."""
    config: WatchConfig = field(default_factory=WatchConfig)


def take_drift_look(request: WatchRequest) -> WatchResult:
    """Compare a window with the reference, and write the result and its page.

    The look is not added to the log. Its caller does that last, after acting upon an alarm: if the process dies before,
    the alarm is reported twice rather than never. Raise InputError if something cannot be read or written, and for a
    window with too few documents.
    """
    if request.output.suffix != ".json" or request.output.is_dir():  # the page, .html, would overwrite it
        raise InputError(
            "the result is a file of JSON", where=str(request.output), fix="Give a name that ends in .json"
        )
    for place in filter(None, (request.log, request.looks)):
        require_folder(place)
    with open_model(request.model, request.registry) as model:
        info, digest = calibrated_info(model), digest_folder(model)
        if request.reference:
            other = window_of_scores(request.reference, digest, info, request.config.level)
            reference, called = other.profile, other.words
        else:
            reference, called = Profile.read(model), "the calibration part"
    if request.scores:
        window = window_of_scores(request.scores, digest, info, request.config.level)
    elif request.since and request.until:
        window = window_of_log(request.log, digest[:12], info, request.since, request.until, request.config.level)
    else:
        raise InputError("the window of a score log needs a start and an end", fix="Give both")
    looks = DriftLookLog(request.looks) if request.looks else None
    result = watch(digest[:12], reference, window, request.config, called=called, about=info.rubric.name, looks=looks)
    with staged_file(request.output) as file:
        file.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    unread: list[str] = []
    former = looks.history(skipped=unread) if looks else []
    for message in unread:
        say(f"! {message}")
    # The page shows this look with the number that it gets if no other look is added before it.
    shown = [*(look for look in former if look.version == result.version), result.look(len(former) + 1)]
    report = watch_report(result, reference, window.profile, info.rubric, shown)
    write_html(report, request.output.with_suffix(".html"))
    return result
