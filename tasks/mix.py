"""Mix: the passes over the parts of the scores, each dealt out to a map, and joined by one small task.

None is cached: a pass reads few columns, and the references of a mixture have the same bytes whoever writes them.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task
from flytekit.types.file import FlyteFile

from assay.errors import InputError
from assay.mixture import (
    MixingRequest,
    MixtureJob,
    MixtureState,
    advance,
    find_job,
    find_mixture,
    finish,
    model_names,
    parts_of,
    scan,
    start,
    summary,
)
from assay.progress import say
from assay.registry import open_model
from assay.report import fragment_of
from assay.scoring import Part
from assay.storage import deal_runs, join, read_bytes
from tasks.support.requests import read_request
from tasks.support.resources import heavy, light
from tasks.support.settings import lasting, source_location
from tasks.support.shares import read_share, store_shares
from tasks.support.stages import recorded
from tasks.support.types import stored_file


@dataclass
class MixShare:
    """The parts that one task of each map reads."""

    parts: list[Part] = field(default_factory=list)


@dataclass
class MixedCorpus:
    """A mixture, and its size."""

    place: str
    """Folder or URL."""
    version: str
    documents: int
    """Different documents."""
    tokens: int
    """Tokens, repeats included."""

    def __str__(self) -> str:
        """Return what `pyflyte run` prints last."""
        return f"mixture of {self.documents:,} documents, {self.tokens:,} tokens: {self.place}"


class PlannedMixture(NamedTuple):
    job: str
    """The job as JSON."""
    state: FlyteFile
    """The state before the first pass."""
    counting: list[FlyteFile]
    """A MixShare in each file; none if the footers of the scores have the counts."""
    shares: list[FlyteFile]


@task(**heavy())
def plan_mixture(
    source: str,
    quality: str,
    token_budget: int | None,
    topic: str,
    options: str,
    workers: int,
    registry: str,
    scores: str,
    output: str,
) -> PlannedMixture:
    """Find the scores and deal out their parts. Never cached: aliases move, and scores are added."""
    with recorded("Plan"), ExitStack() as opened:
        given = {"source": source, "quality": quality, "token_budget": token_budget, "topic": topic}
        request = read_request(MixingRequest, options, **given)
        request = replace(request, source=source_location(request.source))
        shelf, kept = lasting(registry, "ASSAY_REGISTRY", "registry"), lasting(scores, "ASSAY_SCORES", "scores")
        models = {name: opened.enter_context(open_model(name, shelf)) for name in model_names(request.ranked_by)}
        job = find_job(request, models, kept, lasting(output, "ASSAY_MIXTURES", "mixtures"))
        job = replace(job, output=job.output if output else join(job.output, job.key))
        find_mixture(job)  # refuses a place that holds something else before any work is done
        state = start(job)
        parts = parts_of(job)
        say(f"{len(parts)} parts of scores; {request.mixture.in_words()}")
    shares = store_shares([MixShare(share) for share in deal_runs(parts, workers)])
    return PlannedMixture(job.to_json(), _stored(state), shares if state.next == "count" else [], shares)


@task(**light())
def scan_share(share: FlyteFile, job: str, state: FlyteFile) -> FlyteFile:
    """Do the next pass over the parts of a share."""
    given, so_far = MixtureJob.read(job), _read(state)
    with recorded(so_far.next.capitalize()):
        found = scan(given, so_far, read_share(MixShare, share).parts)
    return _file("found", found)


@task(**heavy())
def join_pass(job: str, state: FlyteFile, found: list[FlyteFile]) -> FlyteFile:
    """Join what the tasks of a pass have found. Without any, the state stays: the pass was not needed."""
    so_far = _read(state)
    if found:
        so_far = advance(MixtureJob.read(job), so_far, [Path(file.download()).read_bytes() for file in found])
    return _stored(so_far)


@task(enable_deck=True, **heavy())
def finish_mixture(job: str, state: FlyteFile, written: list[FlyteFile], materialise: str) -> MixedCorpus:
    """Write what belongs to the references. `written` orders this task after them."""
    if materialise not in ("", "stream", "cells"):
        raise InputError(f"materialise is {materialise!r}", fix="Give stream or cells, or leave it empty")
    given = MixtureJob.read(job)
    with recorded("Write"):
        mixture = finish(given, _read(state), materialise)  # type: ignore[arg-type]
        say(summary(mixture))
    Deck("Mixture", fragment_of(read_bytes(join(given.output, "report.html")).decode()))
    return MixedCorpus(given.output, mixture.version, mixture.documents, mixture.copied_tokens)


def _stored(state: MixtureState) -> FlyteFile:
    return _file("state.json", state.to_json().encode())


def _file(name: str, data: bytes) -> FlyteFile:
    # The tasks of a local run have one working directory: a file of one name would replace that of another task.
    path = Path(tempfile.mkdtemp(dir=current_context().working_directory)) / name
    path.write_bytes(data)
    return stored_file(path)


def _read(state: FlyteFile) -> MixtureState:
    return MixtureState.read(Path(state.download()).read_text(encoding="utf-8"))
