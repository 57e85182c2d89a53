"""Curate: clean the members of a source in pieces, search them for duplicates in bands, and write a snapshot.

The store of pieces and bands is the cache of these tasks: only what is missing in it is dealt out.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from flytekit import Deck, current_context, task
from flytekit.types.file import FlyteFile

from assay.curation import (
    REPORT,
    BuildPlan,
    BuildRequest,
    Piece,
    PieceFolder,
    assemble,
    make_pieces,
    provenance_of,
    search_bands,
)
from assay.progress import say
from assay.report import fragment_of
from assay.sources import open_source
from assay.storage import deal, join, read_bytes
from tasks.support.caching import by_content
from tasks.support.requests import read_request
from tasks.support.resources import cleaner, heavy, light
from tasks.support.settings import lasting, source_location
from tasks.support.shares import read_share, store_shares
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder, stored_folder


@dataclass
class PieceShare:
    """The pieces that one task of the map makes."""

    folder: str
    pieces: list[Piece] = field(default_factory=list)


@dataclass
class BandShare:
    """The bands that one task of the map searches."""

    folder: str
    bands: list[int] = field(default_factory=list)


class PlannedPieces(NamedTuple):
    """The folder of a build, and the pieces that are missing in it."""

    folder: str
    """Folder or URL of the pieces."""
    plan: str
    """Key of the plan, a digest of everything that the pieces depend on."""
    shard_megabytes: int
    started: float
    shares: list[FlyteFile]
    """A PieceShare in each file."""
    there: Stage


class PlannedSearch(NamedTuple):
    shares: list[FlyteFile]
    """A BandShare in each file."""
    there: Stage


class Curated(NamedTuple):
    snapshot: SnapshotFolder
    stage: Stage


@task(**light())
def plan_pieces(
    source: str, preset: str, text_column: str, benchmarks: str, options: str, workers: int, pieces: str
) -> PlannedPieces:
    """Resolve the source and deal out the missing pieces. Never cached: sources change and pieces get lost."""
    started = time.time()
    with recorded("Resolve the source") as stage:
        request = read_request(
            BuildRequest, options, source=source, preset=preset, text_column=text_column, benchmarks=benchmarks
        )
        kept = lasting(pieces, "ASSAY_PIECES", "pieces")
        plan = BuildPlan.of(open_source(source_location(request.source)), request.config, request.benchmarks)
        provenance_of(plan, request.shard_megabytes)  # refuses a bad shard size before any work is done
        folder = PieceFolder.create(kept, plan)
        missing = folder.missing_pieces()
        stage.remark = f"{len(plan.pieces) - len(missing)} of {len(plan.pieces)} pieces existed"
        say(f"{request.source}, revision {plan.revision[:12]}: {stage.remark}")
    shares = [PieceShare(folder.url, share) for share in deal(missing, workers)]
    return PlannedPieces(folder.url, plan.key, request.shard_megabytes, started, store_shares(shares), stage)


@task(**cleaner())
def make_share(share: FlyteFile, processes: int) -> Stage:
    """Make pieces. Each appears when it is complete, so that a retry continues after the last complete one."""
    with recorded("Clean") as stage:
        given = read_share(PieceShare, share)
        done = make_pieces(PieceFolder.open(given.folder), given.pieces, processes=processes)
        stage.remark = f"{done} pieces"
    return stage


@task(**light())
def plan_search(folder: str, made: list[Stage], workers: int) -> PlannedSearch:
    """Deal out the bands that are not searched yet. `made` orders this task after the pieces."""
    with recorded("Plan the search") as stage:
        opened = PieceFolder.open(folder)
        missing, every = opened.missing_bands(), opened.plan.bands
        stage.remark = f"{len(every) - len(missing)} of {len(every)} bands existed"
        say(f"{stage.remark}; pieces were made by {len(made)} tasks")
    return PlannedSearch(store_shares([BandShare(folder, share) for share in deal(missing, workers)]), stage)


@task(**cleaner())
def search_share(share: FlyteFile) -> Stage:
    """Search bands for duplicates and near-duplicates."""
    with recorded("Find duplicates") as stage:
        given = read_share(BandShare, share)
        stage.remark = f"{search_bands(PieceFolder.open(given.folder), given.bands)} bands"
    return stage


@task(enable_deck=True, cache=by_content("folder", "searched"), **heavy())
def write_curated(folder: str, plan: str, shard_megabytes: int, searched: list[Stage]) -> Curated:
    """Write the documents that remain. `searched` orders this task after the bands; `plan` keys the cache."""
    with recorded("Write") as stage:
        path = Path(current_context().working_directory) / "snapshot"
        snapshot = assemble(PieceFolder.open(folder), str(path), shard_megabytes=shard_megabytes)
        Deck("Corpus", fragment_of(read_bytes(join(snapshot.url, REPORT)).decode("utf-8")))
        stage.documents = snapshot.manifest.rows
        stage.remark = f"version {snapshot.manifest.version[:12]}"
        say(f"{stage.documents:,} documents, {stage.remark}; plan {plan}")
    return Curated(stored_folder(path), stage)
