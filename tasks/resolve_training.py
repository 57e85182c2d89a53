"""Resolve what a run is given. Never cached: its outputs are what the caches of all other stages are keyed by."""

import time
from dataclasses import dataclass
from pathlib import Path

from flytekit import task

from assay.errors import InputError
from assay.evaluation import of_other_seeds
from assay.gates import read_limits
from assay.labels import learned_before
from assay.model import KeepTarget
from assay.pipeline import Labels
from assay.progress import say
from assay.rubric import Rubric, load_rubric
from assay.sources import Columns, Period, open_source
from assay.storage import digest_folder, digest_json
from assay.training import TrainConfig, recipe
from tasks.support.resources import light
from tasks.support.settings import lasting, source_location, split_names, work_folder
from tasks.support.stages import recorded


@dataclass
class FurtherLabels:
    """Labels by a further rubric, and what they are by."""

    revision: str
    rubric: Rubric | None
    threshold: float | None
    name: str


@dataclass
class Given:
    """What was asked for, checked before any work, with the revision of everything that can change."""

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
    encoder_revision: str
    goes_on_from: str
    """The encoder, where it is a model that has learned labels before."""
    ledger: str
    registry: str
    started: float


@task(**light())
def resolve_training(
    source: str,
    text_column: str,
    label_column: str,
    group_by: str,
    id_column: str,
    weight_column: str,
    time_column: str,
    since: str,
    until: str,
    rubric: str,
    threshold: float | None,
    recipe_name: str,
    encoder: str,
    window_tokens: int,
    window_count: int,
    loss: str,
    scoring_precision: str,
    folds: int,
    keep: str,
    seed: int,
    seeds: int,
    gate_limits: str,
    also: str,
    ledger: str,
    registry: str,
) -> Given:
    """Resolve source, rubric, recipe and encoder; a mistake in any of them ends the run here."""
    started = time.time()
    with recorded("Resolve the source"):
        place = source_location(source)
        revision = open_source(place).revision
        say(f"{source}, revision {revision[:12]}; everything lasting goes below {work_folder()}")
        config = recipe(
            recipe_name,
            encoder=encoder or None,
            loss=loss or None,
            window_tokens=window_tokens or None,
            window_count=window_count or None,
            scoring_precision=scoring_precision,
            folds=folds or None,
            seed=seed,
        )
        read_limits(split_names(gate_limits))
        asked = [Labels.parse(given) for given in split_names(also)]
        if asked and config.folds:
            raise InputError("cross-fitting is for one rubric", where="folds, also", fix="Leave one of them out")
        places = [source_location(labels.source) for labels in asked]
        columns = Columns(text=text_column, label=label_column, group=group_by, weight=weight_column, id=id_column)
        name = digest_json([source, text_column, label_column, group_by])[:12]
        return Given(
            source=place,
            revision=revision,
            columns=columns,
            period=Period.of(time_column, since, until),
            rubric=load_rubric(rubric, threshold) if rubric else None,
            threshold=threshold,
            config=config,
            keep=KeepTarget.parse(keep),
            further=[
                FurtherLabels(open_source(where).revision, labels.given(), labels.threshold, labels.name)
                for where, labels in zip(places, asked, strict=True)
            ],
            further_sources=places,
            other_seeds=[other.seed for other in of_other_seeds(config, seeds)],
            encoder_revision=digest_folder(Path(config.encoder)) if Path(config.encoder).is_dir() else "",
            goes_on_from=config.encoder if learned_before(config.encoder) else "",
            ledger=lasting(ledger, "ASSAY_LEDGER", f"ledgers/{name}"),
            registry=lasting(registry, "ASSAY_REGISTRY", "registry"),
            started=started,
        )
