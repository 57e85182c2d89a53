"""Certify the cut of a cheap model, and deal out what it leaves to the full one."""

from typing import NamedTuple

from flytekit import task
from flytekit.types.directory import FlyteDirectory

from assay.inference import token_counter
from assay.progress import say
from assay.registry import Registry
from assay.scoring import (
    CascadeConfig,
    Certificate,
    PartFolder,
    Scores,
    ScoringConfig,
    certify,
    plan_scoring,
    rejection_by,
    reusable,
)
from assay.storage import Snapshot, deal_runs
from tasks.score import Planned, Share
from tasks.support.resources import encoder, light
from tasks.support.shares import store_shares
from tasks.support.stages import Stage, recorded
from tasks.support.types import place_of


class Certified(NamedTuple):
    """The key of a certificate below the root of the scores."""

    certificate: str
    stage: Stage


@task(**encoder())
def certify_cut(
    corpus: FlyteDirectory,
    registry: str,
    version: str,
    scores: str,
    scoring: ScoringConfig,
    cascade: CascadeConfig,
    folder: str,
    scored: list[Stage],
) -> Certified:
    """Score the documents drawn from the whole corpus, and write the certificate. Never cached: its scores are stored.

    `folder`: the parts of the cheap model, which `scored` orders before this task.
    """
    with recorded("Certify") as stage, Registry(registry).open(version) as model:
        cheap = Scores.complete(PartFolder.open(folder))
        found = certify(Snapshot.open(place_of(corpus)), cheap, model, scores, scoring, cascade)
        stage.documents = found.documents
        stage.remark = f"recall {found.promised.recall:.1%}, {found.promised.scored:.1%} left to the full model"
        say(found.sentence())
    return Certified(found.key, stage)


@task(**light())
def plan_rest(
    corpus: FlyteDirectory,
    registry: str,
    version: str,
    scores: str,
    scoring: ScoringConfig,
    certificate: str,
    workers: int,
) -> Planned:
    """Deal out the parts that are missing, without what the cheap model rejects. Never cached, as `plan_parts`."""
    return _plan(corpus, registry, version, scores, scoring, certificate, workers)


@task(**encoder())
def measure_and_plan_rest(
    corpus: FlyteDirectory,
    registry: str,
    version: str,
    scores: str,
    scoring: ScoringConfig,
    certificate: str,
    workers: int,
) -> Planned:
    """Measure the backend on documents of the corpus, then do as `plan_rest`, on a machine like those that score."""
    return _plan(corpus, registry, version, scores, scoring, certificate, workers)


def _plan(
    corpus: FlyteDirectory,
    registry: str,
    version: str,
    scores: str,
    scoring: ScoringConfig,
    certificate: str,
    workers: int,
) -> Planned:
    with recorded("Plan") as stage:
        snapshot, found = Snapshot.open(place_of(corpus)), Certificate.read(scores, certificate)
        with Registry(registry).open(version) as model:
            if known := reusable(snapshot, model, scores, scoring, found):
                folder = known.folder
            else:
                tokens = token_counter(scoring.tokenizer)
                rejection = rejection_by(snapshot, model, scores, scoring, found)
                folder = plan_scoring(snapshot, model, tokens, scoring, scores, rejection)
        missing, every = folder.missing(), folder.plan.parts()
        stage.documents = snapshot.manifest.rows - sum(part.stop - part.start for part in missing)
        stage.remark = f"{len(every) - len(missing)} of {len(every)} parts existed"
        say(stage.remark)
    shares = store_shares([Share(folder.url, parts) for parts in deal_runs(missing, workers)])
    return Planned(shares, folder.url, folder.plan.key, stage)
