"""Resolve the request of a training run. Never cached: its outputs key the caches of all other stages."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flytekit import task

from assay.evaluation import of_other_seeds
from assay.gates import GateLimits
from assay.labels import learned_before
from assay.model import KeepTarget
from assay.options import plain_options
from assay.pipeline import TrainingRequest
from assay.progress import say
from assay.rubric import Rubric, load_rubric
from assay.sources import Columns, Period, open_source
from assay.storage import digest_folder, digest_json
from assay.training import TrainConfig
from tasks.support.requests import read_request
from tasks.support.resources import light
from tasks.support.settings import lasting, require_lasting_tracker, source_location
from tasks.support.stages import recorded


@dataclass
class FurtherLabels:
    """Labels by a further rubric, with the revision of their source."""

    revision: str
    rubric: Rubric | None
    threshold: float | None
    name: str


class ResolvedTraining(NamedTuple):
    """A resolved request. Each value that keys a cache is an output of its own.

    Flyte's propeller encodes the attribute of a dataclass again, with maps in random order (flyte issue 6517). A cache
    key made of it would change with each run.
    """

    source: str
    revision: str
    columns: Columns
    period: Period | None
    rubric: Rubric | None
    threshold: float | None
    config: TrainConfig
    keep: KeepTarget
    further: list[FurtherLabels]
    further_sources: list[str]
    other_seeds: list[int]
    slice_by: list[str]
    rater_columns: list[str]
    gates: GateLimits
    max_quarantined: float
    seed: int
    encoder_revision: str
    """Digest of the encoder if it is a folder, otherwise empty."""
    continues_from: str
    """The encoder, if it is a model that has learned labels before."""
    ledger: str
    registry: str
    request: str
    """All options of the run as JSON, for the lineage."""
    started: float


@task(**light())
def resolve_training(
    source: str,
    text_column: str,
    label_column: str,
    group_by: str,
    time_column: str,
    since: str,
    until: str,
    rubric: str,
    recipe: str,
    options: str,
    ledger: str,
    registry: str,
    tracking: str,
) -> ResolvedTraining:
    """Resolve source, rubric, recipe and encoder. Raise InputError for any option that cannot be used.

    `tracking` is checked here, before any work.
    """
    started = time.time()
    with recorded("Resolve the source"):
        require_lasting_tracker(tracking)
        request = read_request(
            TrainingRequest,
            options,
            source=source,
            text_column=text_column,
            label_column=label_column,
            group_by=group_by,
            time_column=time_column,
            since=since,
            until=until,
            rubric=rubric,
            recipe=recipe,
            ledger=ledger,
        )
        config, columns = request.training, request.columns
        name = digest_json([request.source, columns.text, columns.label, columns.group])[:12]
        kept = lasting(request.ledger, "ASSAY_LEDGER", f"ledgers/{name}")
        shelf = lasting(registry, "ASSAY_REGISTRY", "registry")
        place = source_location(request.source)
        revision = open_source(place).revision
        say(f"{request.source}, revision {revision[:12]}; models are registered in {shelf}")
        further = [(source_location(labels.source), labels) for labels in request.also]
        return ResolvedTraining(
            source=place,
            revision=revision,
            columns=columns,
            period=request.period,
            rubric=load_rubric(request.rubric, request.threshold) if request.rubric else None,
            threshold=request.threshold,
            config=config,
            keep=request.keep,
            further=[
                FurtherLabels(open_source(where).revision, labels.given(), labels.threshold, labels.name)
                for where, labels in further
            ],
            further_sources=[where for where, _ in further],
            other_seeds=[other.seed for other in of_other_seeds(config, request.seeds)],
            slice_by=list(request.slice_by),
            rater_columns=list(request.rater_columns),
            gates=request.gates,
            max_quarantined=request.max_quarantined,
            seed=config.seed,
            encoder_revision=digest_folder(Path(config.encoder)) if Path(config.encoder).is_dir() else "",
            continues_from=config.encoder if learned_before(config.encoder) else "",
            ledger=kept,
            registry=shelf,
            request=json.dumps(plain_options(request), sort_keys=True, ensure_ascii=False),
            started=started,
        )
