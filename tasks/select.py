"""Select: count the scores, settle the cut, write the shards of the selection, and finish it.

Shards go straight to their place, and no task holds the selection. Only a search for near-duplicates, of a corpus that
was not searched when it was built, needs all that is selected in one task: `plan_shares`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from flytekit import Deck, FlyteContextManager, current_context, task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.progress import say
from assay.registry import Registry
from assay.report import fragment_of
from assay.scoring import PartFolder, Scores
from assay.selection import (
    REPORT,
    CountedShare,
    CountShare,
    Draft,
    SelectionRequest,
    SelectionShare,
    WrittenShare,
    count_share,
    finish_selection,
    plan_counting,
    plan_writing,
    prepared,
    write_share,
)
from assay.storage import Snapshot, join, read_bytes
from tasks.support.caching import by_content
from tasks.support.resources import cleaner, heavy, light
from tasks.support.shares import read_share, store_shares
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, place_of, stored_file


class PlannedShards(NamedTuple):
    """The shares of a selection, and what is known of it before they are written."""

    shares: list[FlyteFile]
    """A SelectionShare in each file."""
    draft: FlyteFile


class Selected(NamedTuple):
    selection: SnapshotFolder
    stage: Stage


@contextmanager
def _prepared(
    corpus: FlyteDirectory, folder: str, registry: str, version: str, request: SelectionRequest
) -> Iterator[Any]:
    snapshot, scores = Snapshot.open(place_of(corpus)), Scores.complete(PartFolder.open(folder))
    with Registry(registry).open(version) as model:
        yield prepared(snapshot, scores, model, request)


def _stored(value: Any) -> FlyteFile:
    path = Path(current_context().working_directory) / "found.json"
    path.write_text(json.dumps(asdict(value), ensure_ascii=False), encoding="utf-8")
    return stored_file(path)


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
    with recorded("Find the cut"), _prepared(corpus, folder, registry, version, request) as writing:
        shares = plan_counting(writing, workers)
        say(f"scores {plan}: {len(shares)} tasks count" if shares else "near-duplicates are searched in one task")
        return store_shares(shares)


@task(cache=by_content(), **cleaner())
def count_scores(share: FlyteFile) -> FlyteFile:
    """Count the parts of a CountShare, and return a CountedShare."""
    with recorded("Count"):
        return _stored(count_share(read_share(CountShare, share)))


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
    with recorded("Settle the cut"), _prepared(corpus, folder, registry, version, request) as writing:
        found = [read_share(CountedShare, each) for each in counted]
        draft, shares = plan_writing(writing, found, _new_place(), workers)
        say(f"scores {plan}: {draft.taken[0]:,} documents in {sum(len(share.shards) for share in shares):,} shards")
        return PlannedShards(store_shares(shares), _stored(draft))


def _new_place() -> str:
    """Return a folder for the selection, below the raw-output prefix of the run."""
    access = FlyteContextManager.current_context().file_access
    if access.is_remote(access.raw_output_prefix):
        return str(access.get_random_remote_directory())
    return str(Path(current_context().working_directory) / "selection")


@task(cache=by_content(), **cleaner())
def write_selected(share: FlyteFile) -> FlyteFile:
    """Write the shards of a SelectionShare to their place, and return a WrittenShare."""
    with recorded("Write the selection"):
        return _stored(write_share(read_share(SelectionShare, share)))


@task(enable_deck=True, cache=by_content("folder", "registry"), **light())
def select_documents(
    corpus: SnapshotFolder,
    folder: str,
    registry: str,
    version: str,
    request: SelectionRequest,
    draft: FlyteFile,
    written: list[FlyteFile],
) -> Selected:
    """Write the manifest, the card and the report of a selection whose shards are written."""
    with recorded("Select") as stage, _prepared(corpus, folder, registry, version, request) as writing:
        found = [read_share(WrittenShare, each) for each in written]
        selection = finish_selection(writing, read_share(Draft, draft), found)
        Deck("Selection", fragment_of(read_bytes(join(selection.url, REPORT)).decode("utf-8")))
        stage.documents = selection.manifest.rows
        stage.remark = f"{selection.manifest.tokens:,} tokens, version {selection.manifest.version[:12]}"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Selected(FlyteDirectory(selection.url, remote_directory=False), stage)
