"""Select: make the selection of its shards, with manifest, card and report. No document is read."""

from typing import NamedTuple

from flytekit import Deck, task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.progress import say
from assay.report import fragment_of
from assay.selection import REPORT, Draft, SelectionRequest, WrittenShare, finish_selection
from assay.storage import join, read_bytes
from tasks.support.caching import by_content
from tasks.support.resources import light
from tasks.support.selecting import writing_of
from tasks.support.shares import read_share
from tasks.support.stages import Stage, recorded
from tasks.support.types import SnapshotFolder


class Selected(NamedTuple):
    selection: SnapshotFolder
    stage: Stage


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
    with recorded("Select") as stage, writing_of(corpus, folder, registry, version, request) as writing:
        found = [read_share(WrittenShare, each) for each in written]
        selection = finish_selection(writing, read_share(Draft, draft), found)
        Deck("Selection", fragment_of(read_bytes(join(selection.url, REPORT)).decode("utf-8")))
        stage.documents = selection.manifest.rows
        stage.remark = f"{selection.manifest.tokens:,} tokens, version {selection.manifest.version[:12]}"
        say(f"{stage.documents:,} documents, {stage.remark}")
    return Selected(FlyteDirectory(selection.url, remote_directory=False), stage)
