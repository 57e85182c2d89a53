"""Resolve the request of a filtering run. Never cached: aliases move, and sources change."""

import time
from typing import NamedTuple

from flytekit import task

from assay.backends import REFERENCE
from assay.errors import InputError
from assay.inference import token_counter
from assay.progress import say
from assay.registry import Registry
from assay.scoring import CascadeConfig, ScoringConfig
from assay.selection import FilteringRequest, SelectionRequest
from assay.sources import Columns, Period, corpus_revision
from tasks.support.requests import read_request
from tasks.support.resources import light
from tasks.support.settings import lasting, source_location
from tasks.support.stages import recorded


class ResolvedFiltering(NamedTuple):
    """A resolved request. Each value that keys a cache is an output of its own, as in `ResolvedTraining`."""

    source: str
    revision: str
    columns: Columns
    period: Period | None
    registry: str
    version: str
    """Version of the model, whatever alias the request names."""
    scores: str
    scoring: ScoringConfig
    measured: bool
    """True if another backend than the reference is asked for, which is measured before the parts are planned."""
    plain: ScoringConfig
    """The same settings by the reference, for the cheap model."""
    selection: SelectionRequest
    cheap: str
    """Version of the cheap model of a cascade; empty without one."""
    cascade: CascadeConfig
    started: float


@task(**light())
def resolve_filtering(
    source: str,
    model: str,
    text_column: str,
    time_column: str,
    since: str,
    until: str,
    token_budget: int | None,
    share: float | None,
    tokenizer: str,
    options: str,
    registry: str,
    scores: str,
    cheap: str,
    recall: float | None,
    in_cascade: bool,
) -> ResolvedFiltering:
    """Resolve source, models and tokenizer. Raise InputError for any option that cannot be used.

    `in_cascade`: True for the workflow with a cheap model; the other one refuses to pass it over.
    """
    started = time.time()
    with recorded("Resolve the corpus"):
        request = read_request(
            FilteringRequest,
            options,
            source=source,
            model=model,
            text_column=text_column,
            time_column=time_column,
            since=since,
            until=until,
            token_budget=token_budget,
            share=share,
            tokenizer=tokenizer,
            cheap=cheap,
            recall=recall,
        )
        if in_cascade != bool(request.cascade.cheap):
            raise InputError(
                "a cascade without a cheap model" if in_cascade else f"cheap is {request.cascade.cheap!r}",
                fix="Name its version as cheap" if in_cascade else "Run workflows/cascade.py filter_in_cascade with it",
            )
        shelf, kept = lasting(registry, "ASSAY_REGISTRY", "registry"), lasting(scores, "ASSAY_SCORES", "scores")
        place = source_location(request.source)
        version = Registry(shelf).get(request.model).name
        rejecting = Registry(shelf).get(request.cascade.cheap).name if in_cascade else ""
        counted_by = token_counter(request.scoring.tokenizer).name
        revision = corpus_revision(place)
        wanted = request.selection.in_words()
        say(f"{request.source}, revision {revision[:12]}; model {version}; {wanted}, counted by: {counted_by}")
        return ResolvedFiltering(
            source=place,
            revision=revision,
            columns=request.columns,
            period=request.period,
            registry=shelf,
            version=version,
            scores=kept,
            scoring=request.scoring,
            measured=request.scoring.backend != REFERENCE,
            plain=request.scoring.by_reference(),
            selection=request.selection,
            cheap=rejecting,
            cascade=request.cascade,
            started=started,
        )
