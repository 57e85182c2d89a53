"""Watch: compare the documents and answers of the service with the reference of its model. Never cached."""

import datetime
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task

from assay.monitoring import (
    DriftLook,
    DriftLookLog,
    TooFewError,
    WatchRequest,
    WebhookConfig,
    notify,
    take_drift_look,
)
from assay.overview import StatePlaces, page_of_state
from assay.progress import say, stage
from assay.registry import Decision
from assay.release import WatchingRequest
from assay.report import fragment_of
from tasks.clock import with_zone
from tasks.support.requests import options_text, read_request
from tasks.support.resources import light
from tasks.support.settings import lasting, require_lasting_tracker
from tasks.support.targets import target_of

STATE_DAYS = 2
"""Days of the score log on the state page that each drift look draws; `assay state` reads thirty."""


@dataclass
class DriftLooked:
    """The result of a drift look."""

    sentence: str
    registry: str
    log: str
    looks: str
    look: DriftLook | None = None
    """None if there were too few documents for a look."""
    message: str = ""
    """Message for the webhook, as JSON; empty if there is nothing to act upon."""


class Watched(NamedTuple):
    """The outputs of a watch. `act` is one of its own: flytekit 1.16 accepts no field of a dataclass in a condition."""

    looked: DriftLooked
    act: bool
    """True if there is an alarm, and no earlier one cools down."""
    retraining: str
    """Options of the retraining, as JSON."""


@task(enable_deck=True, **light())
def look_at_service(
    kickoff: datetime.datetime,
    source: str,
    test_set: str,
    log: str,
    model: str,
    hours: float,
    text_column: str,
    label_column: str,
    group_by: str,
    time_column: str,
    days: int,
    rubric: str,
    recipe: str,
    options: str,
    registry: str,
    ledger: str,
    looks: str,
    reference: str,
    tracking: str,
    target: str,
) -> Watched:
    """Check the answers of the hours before a moment. Too few of them are no failure: nights are quiet.

    Raise InputError also for what would stop the retraining of an alarm: `ledger`, `tracking` and `target`.
    """
    given = read_request(
        WatchingRequest,
        options,
        source=source,
        test_set=test_set,
        text_column=text_column,
        label_column=label_column,
        group_by=group_by,
        time_column=time_column,
        days=days,
        rubric=rubric,
        recipe=recipe,
        reference=reference,
    )
    require_lasting_tracker(tracking)
    target_of(target)
    lasting(ledger or given.retraining.training.ledger, "ASSAY_LEDGER", "ledger")
    retraining, until = options_text(given.retraining), with_zone(kickoff)
    kept = lasting(looks, "ASSAY_LOOKS", "looks")
    page = Path(current_context().working_directory) / "watch.json"
    request = WatchRequest(
        model=model,
        registry=lasting(registry, "ASSAY_REGISTRY", "registry"),
        output=page,
        log=lasting(log, "ASSAY_WATCH_LOG", "score-log"),
        since=until - datetime.timedelta(hours=hours),
        until=until,
        looks=kept,
        reference=given.reference,
        config=given.watch,
    )
    with stage("Watch"):
        try:
            result = take_drift_look(request)
        except TooFewError as error:
            say(f"no drift look: {error}")
            none = DriftLooked(f"No drift look: {error}", request.registry, request.log, kept)
            return Watched(none, False, retraining)
        for sentence in result.sentences:
            say(sentence)
    Deck("Watch", fragment_of(page.with_suffix(".html").read_text(encoding="utf-8")))
    message = json.dumps(result.message()) if result.act else ""
    return Watched(
        DriftLooked(result.sentences[0], request.registry, request.log, kept, result.look(0), message),
        result.act,
        retraining,
    )


@task(**light())
def tell_people(looked: DriftLooked) -> str:
    """Send the message to the URL of ASSAY_WEBHOOK, if both exist. Return the fault, empty if it was sent."""
    url = os.environ.get("ASSAY_WEBHOOK", "")
    if not looked.message or not url:
        return ""
    wrong = notify(json.loads(looked.message), WebhookConfig(url, os.environ.get("ASSAY_WEBHOOK_FORM", "json")))
    say(wrong or "the message was sent")
    return wrong


@task(enable_deck=True, **light())
def record_look(looked: DriftLooked, told: str) -> int:
    """Add the look to the log, which makes its alarm cool down, and draw the state page. Return its number, or 0.

    `told` orders this task after the message: a run that is stopped between the two sends it twice rather than never.
    """
    look, number = looked.look, 0
    if look is not None:
        number = DriftLookLog(looked.looks).append(lambda number: replace(look, number=number)).number
    page = Path(current_context().working_directory) / "state.html"
    page_of_state(StatePlaces(looked.registry, looks=looked.looks, log=looked.log, days=STATE_DAYS), page)
    Deck("State", fragment_of(page.read_text(encoding="utf-8")))
    return number


@task(**light())
def stay(looked: DriftLooked) -> Decision:
    """Do nothing. The decision is not recorded in the registry: the log of looks has it."""
    say(looked.sentence)
    return Decision("", "kept", "", "", looked.sentence)
