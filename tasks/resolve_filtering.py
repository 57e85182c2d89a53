"""Resolve what a filtering run is given. Never cached: aliases move, and sources change."""

import time
from dataclasses import dataclass

from flytekit import task

from assay.inference import token_counter
from assay.progress import say
from assay.registry import Registry
from assay.scoring import ScoringConfig
from assay.selection import SelectionRequest
from assay.sources import Columns, Period, corpus_revision
from tasks.support.resources import light
from tasks.support.settings import lasting, source_location
from tasks.support.stages import recorded


@dataclass
class GivenCorpus:
    """What was asked for, checked before any work, with the revision of everything that can change."""

    source: str
    revision: str
    columns: Columns
    period: Period | None
    registry: str
    version: str
    """Of the model, by whatever name it was asked for."""
    scores: str
    config: ScoringConfig
    request: SelectionRequest
    started: float


@task(**light())
def resolve_filtering(
    source: str,
    model: str,
    text_column: str,
    id_column: str,
    time_column: str,
    since: str,
    until: str,
    token_budget: int | None,
    share: float | None,
    threshold: float | None,
    keep: str,
    keep_duplicates: bool,
    tokenizer: str,
    slice_by: str,
    rows_per_part: int,
    registry: str,
    scores: str,
) -> GivenCorpus:
    """Resolve source, model and tokenizer; a mistake in any of them ends the run here."""
    started = time.time()
    with recorded("Resolve the corpus"):
        place = source_location(source)
        shelf = lasting(registry, "ASSAY_REGISTRY", "registry")
        version = Registry(shelf).get(model)
        request = SelectionRequest(token_budget, share, threshold, keep_duplicates, keep or None)
        config = ScoringConfig(rows_per_part, tokenizer, slice_by)
        counted_by = token_counter(tokenizer).name
        revision = corpus_revision(place)
        say(f"{source}, revision {revision[:12]}; model {version.name}; {request.in_words()}, counted by: {counted_by}")
        return GivenCorpus(
            source=place,
            revision=revision,
            columns=Columns(text=text_column, id=id_column),
            period=Period.of(time_column, since, until),
            registry=shelf,
            version=version.name,
            scores=lasting(scores, "ASSAY_SCORES", "scores"),
            config=config,
            request=request,
            started=started,
        )
