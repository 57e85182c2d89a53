"""Plan the shards of a selection by its cut.

A search for near-duplicates, of a corpus that was not searched when it was built, goes on in this one task.
"""

from pathlib import Path
from typing import NamedTuple

from flytekit import FlyteContextManager, current_context, task
from flytekit.types.file import FlyteFile

from assay.progress import say
from assay.selection import CountedShare, SelectionRequest, plan_writing
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.selecting import stored_json, writing_of
from tasks.support.shares import read_share, store_shares
from tasks.support.stages import recorded
from tasks.support.types import SnapshotFolder


class PlannedShards(NamedTuple):
    """The shares of a selection, and what is known of it before they are written."""

    shares: list[FlyteFile]
    """A SelectionShare in each file."""
    draft: FlyteFile


@task(cache=by_content("folder", "registry", "workers"), **heavy())
def plan_shards(
    corpus: SnapshotFolder,
    folder: str,
    plan: str,
    registry: str,
    version: str,
    request: SelectionRequest,
    workers: int,
    counted: list[FlyteFile],
) -> PlannedShards:
    """Settle the cut, and deal out the shards of the selection. `plan` keys the cache."""
    with recorded("Settle the cut"), writing_of(corpus, folder, registry, version, request) as writing:
        found = [read_share(CountedShare, each) for each in counted]
        draft, shares = plan_writing(writing, found, _new_place(), workers)
        say(f"scores {plan}: {draft.taken[0]:,} documents in {sum(len(share.shards) for share in shares):,} shards")
        return PlannedShards(store_shares(shares), stored_json(draft))


def _new_place() -> str:
    """Return a folder for the selection, below the raw-output prefix of the run."""
    access = FlyteContextManager.current_context().file_access
    if access.is_remote(access.raw_output_prefix):
        return str(access.get_random_remote_directory())
    return str(Path(current_context().working_directory) / "selection")
