"""Watch: what the service was asked and answered, beside the reference of its model. Never cached."""

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
from assay.overview import page_of_state
from assay.progress import say, stage
from assay.registry import Decision
from assay.release import WatchingRequest
from assay.report import fragment_of
from tasks.clock import with_zone
from tasks.support.requests import options_text, read_request
from tasks.support.resources import light
from tasks.support.settings import lasting

STATE_DAYS = 2
"""Of the score log on the page of the state that each look draws; `assay state` reads thirty."""


@dataclass
class DriftLooked:
    """What a look found."""

    sentence: str
    registry: str
    log: str
    looks: str
    look: DriftLook | None = None
    """None where there was too little to look at."""
    message: str = ""
    """For the webhook, as JSON; empty where there is nothing to act upon."""


class Watched(NamedTuple):
    """A condition compares outputs alone: flytekit 1.16 takes no field of a dataclass."""

    looked: DriftLooked
    act: bool
    """True if there is an alarm to act upon: none cools down."""
    retraining: str
    """Options of the retraining."""


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
    looks: str,
) -> Watched:
    """The answers of the hours before a moment. Too few of them are no look, and no failure: nights are quiet."""
    asked = read_request(
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
    )
    retraining, until = options_text(asked.retraining), with_zone(kickoff)
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
        config=asked.watch,
    )
    with stage("Watch"):
        try:
            result = take_drift_look(request)
        except TooFewError as error:
            say(f"no look: {error}")
            return Watched(DriftLooked(f"No look: {error}", request.registry, request.log, kept), False, retraining)
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
    """One POST to the URL of ASSAY_WEBHOOK where there is something to act upon; what went wrong, if anything."""
    url = os.environ.get("ASSAY_WEBHOOK", "")
    if not looked.message or not url:
        return ""
    wrong = notify(json.loads(looked.message), WebhookConfig(url, os.environ.get("ASSAY_WEBHOOK_FORM", "json")))
    say(wrong or "people were told")
    return wrong


@task(enable_deck=True, **light())
def record_look(looked: DriftLooked, told: str) -> int:
    """Into the log of looks, which makes an alarm cool down; its number, 0 where there was none. Shows the state.

    It comes after people were told: who is stopped between the two tells them twice rather than never.
    """
    look, number = looked.look, 0
    if look is not None:
        number = DriftLookLog(looked.looks).append(lambda number: replace(look, number=number)).number
    page = Path(current_context().working_directory) / "state.html"
    page_of_state(looked.registry, page, looks=looked.looks, log=looked.log, days=STATE_DAYS)
    Deck("State", fragment_of(page.read_text(encoding="utf-8")))
    return number


@task(**light())
def stay(looked: DriftLooked) -> Decision:
    """Nothing to do. Not kept among the decisions: the log of looks has it."""
    say(looked.sentence)
    return Decision("", "kept", "", "", looked.sentence)
