"""Plan the cut of a selection: the first of its tasks, which are plan, count, plan shards, write and select."""

from flytekit import task
from flytekit.types.file import FlyteFile

from assay.progress import say
from assay.selection import SelectionRequest, plan_counting
from tasks.support.caching import by_content
from tasks.support.resources import light
from tasks.support.selecting import writing_of
from tasks.support.shares import store_shares
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder


@task(cache=by_content("folder", "registry", "scored", "workers"), **light())
def plan_cut(
    corpus: SnapshotFolder,
    folder: str,
    plan: str,
    registry: str,
    version: str,
    request: SelectionRequest,
    workers: int,
    scored: list[Stage],
) -> list[FlyteFile]:
    """Find the bin of the cut, and deal out the parts to count. `scored` orders this task; `plan` keys the cache."""
    with recorded("Find the cut"), writing_of(corpus, folder, registry, version, request) as writing:
        shares = plan_counting(writing, workers)
        say(f"scores {plan}: {len(shares)} tasks count" if shares else "near-duplicates are searched in one task")
        return store_shares(shares)
