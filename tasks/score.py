"""Score: deal out the missing parts to the tasks of a map. The store of parts is the cache of these tasks."""

from dataclasses import dataclass, field
from typing import NamedTuple

from flytekit import task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.inference import token_counter
from assay.progress import say
from assay.registry import Registry
from assay.scoring import Part, ScoringConfig, ScoringJob, plan_scoring, score_parts
from assay.storage import Snapshot, deal_runs
from tasks.support.resources import encoder, light
from tasks.support.shares import read_share, store_shares
from tasks.support.stages import Stage, recorded
from tasks.support.types import place_of


@dataclass
class Share:
    """The parts that one task of the map scores."""

    folder: str
    """Folder or URL of the parts."""
    parts: list[Part] = field(default_factory=list)


class Planned(NamedTuple):
    """The folder of a plan, and the parts that are missing in it."""

    shares: list[FlyteFile]
    """A Share in each file."""
    folder: str
    plan: str
    """Key of the plan, a digest of everything that the scores depend on."""
    there: Stage


@task(**light())
def plan_parts(
    corpus: FlyteDirectory, registry: str, version: str, scores: str, scoring: ScoringConfig, workers: int
) -> Planned:
    """Deal out the parts that are missing. Never cached, so that a lost part is scored again."""
    return _plan(corpus, registry, version, scores, scoring, workers)


@task(**encoder())
def measure_and_plan_parts(
    corpus: FlyteDirectory, registry: str, version: str, scores: str, scoring: ScoringConfig, workers: int
) -> Planned:
    """Measure the backend on documents of the corpus, then do as `plan_parts`, on a machine like those that score."""
    return _plan(corpus, registry, version, scores, scoring, workers)


def _plan(
    corpus: FlyteDirectory, registry: str, version: str, scores: str, scoring: ScoringConfig, workers: int
) -> Planned:
    with recorded("Plan") as stage:
        snapshot = Snapshot.open(place_of(corpus))
        with Registry(registry).open(version) as model:
            folder = plan_scoring(snapshot, model, token_counter(scoring.tokenizer), scoring, scores)
        missing, every = folder.missing(), folder.plan.parts()
        stage.documents = snapshot.manifest.rows - sum(part.stop - part.start for part in missing)
        stage.remark = f"{len(every) - len(missing)} of {len(every)} parts existed"
        say(stage.remark)
    shares = store_shares([Share(folder.url, parts) for parts in deal_runs(missing, workers)])
    return Planned(shares, folder.url, folder.plan.key, stage)


@task(**encoder())
def score_share(share: FlyteFile, corpus: FlyteDirectory, registry: str, version: str, scoring: ScoringConfig) -> Stage:
    """Score parts. Each appears when it is complete, so that a retry continues after the last complete one."""
    with recorded("Score") as stage, Registry(registry).open(version) as model:
        given = read_share(Share, share)
        done = score_parts(ScoringJob(given.folder, place_of(corpus), model), given.parts)
        stage.documents = sum(part.stop - part.start for part in given.parts)
        stage.remark = f"{done} parts"
    return stage
