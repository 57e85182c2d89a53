"""The summary at the end of a filtering run. Never cached: it reports what this run took from the cache."""

import sys
from dataclasses import dataclass

from flytekit import Deck, task
from rich.console import Console

from assay.report import Prose, Report, Section, Table, print_table, render_fragment
from assay.selection import SelectionRequest, funnel_table, promise
from assay.storage import Snapshot
from tasks.support.resources import light
from tasks.support.shelf import shelved
from tasks.support.stages import Stage, stage_table, together
from tasks.support.types import SnapshotFolder, place_of


@dataclass
class Selection:
    """A snapshot of selected documents, and its size."""

    place: str
    """Folder or URL."""
    version: str
    documents: int
    tokens: int

    def __str__(self) -> str:
        """Return what `pyflyte run` prints last."""
        return f"selected {self.documents:,} documents, {self.tokens:,} tokens: {self.place}"


@task(enable_deck=True, **light())
def summarise_filtering(
    request: SelectionRequest,
    started: float,
    selection: SnapshotFolder,
    acquired: Stage,
    there: Stage,
    scored: list[Stage],
    selected: Stage,
) -> Selection:
    """Print the stages, the funnel of the documents, and the place of the selection."""
    opened = Snapshot.open(place_of(selection))
    place = shelved(opened, "selections")
    table, done = (
        funnel_table(opened),
        stage_table([acquired, together("Score", scored, there), selected], started),
    )
    console = Console(file=sys.stdout, width=min(140, max(100, Console().width)), highlight=False)
    print_table("Stages", done, console)
    print_table(f"Selected: {request.in_words()}", table, console)
    console.print(promise(opened))
    console.print(f"selection: {place}\n   report: {place}/report.html", soft_wrap=True)
    sections = [
        Section("Selected", [Table(table), Prose(promise(opened)), Prose(f"`{place}`")]),
        Section("Stages", [Table(done)]),
    ]
    Deck("Summary", render_fragment(Report("Summary", request.in_words(), sections)))
    return Selection(place, opened.manifest.version, opened.manifest.rows, opened.manifest.tokens)
