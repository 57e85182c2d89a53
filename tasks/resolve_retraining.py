"""Resolve the request of a retraining into the options of its training and of its challenge. Never cached."""

import datetime
from typing import NamedTuple

from flytekit import task

from assay.progress import stage
from assay.release import RetrainingRequest
from tasks.clock import with_zone
from tasks.support.requests import options_text, read_request
from tasks.support.resources import light
from tasks.support.targets import target_of


class ResolvedRetraining(NamedTuple):
    """The options of the two workflows that a retraining runs, as JSON."""

    training: str
    """Options of `train_quality_classifier`."""
    challenge: str
    """Options of `promote`."""


@task(**light())
def resolve_retraining(
    kickoff: datetime.datetime,
    source: str,
    test_set: str,
    text_column: str,
    label_column: str,
    group_by: str,
    time_column: str,
    days: int,
    rubric: str,
    recipe: str,
    options: str,
    target: str,
) -> ResolvedRetraining:
    """Read the request. Raise InputError for any option or target that cannot be used, before anything is done."""
    with stage("Resolve the request"):
        target_of(target)
        request = read_request(
            RetrainingRequest,
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
        training = request.training_until(with_zone(kickoff))
        return ResolvedRetraining(options_text(training), options_text(request.challenge))
