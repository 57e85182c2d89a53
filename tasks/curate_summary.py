"""The summary at the end of a build. Never cached: it reports what this run took from the cache."""

import sys
from dataclasses import dataclass

from flytekit import Deck, task
from rich.console import Console

from assay.curation import Funnel
from assay.report import Report, Section, Table, print_table, render_fragment
from assay.storage import Snapshot
from tasks.support.resources import light
from tasks.support.shelf import shelved
from tasks.support.stages import Stage, stage_table, together
from tasks.support.types import SnapshotFolder, place_of


@dataclass
class CuratedCorpus:
    """A snapshot, and its size."""

    place: str
    """Folder or URL."""
    version: str
    documents: int
    tokens: int

    def __str__(self) -> str:
        """Return what `pyflyte run` prints last."""
        return f"kept {self.documents:,} documents, {self.tokens:,} tokens: {self.place}"


@task(enable_deck=True, **light())
def summarise_build(
    started: float,
    snapshot: SnapshotFolder,
    there: Stage,
    made: list[Stage],
    planned: Stage,
    searched: list[Stage],
    written: Stage,
) -> CuratedCorpus:
    """Print the stages, the funnel of the documents, and the place of the snapshot."""
    opened = Snapshot.open(place_of(snapshot))
    place = shelved(opened, "corpora")
    funnel = Funnel.from_json(opened.manifest.provenance["funnel"])
    clean, search = together("Clean", made, there), together("Find duplicates", searched, planned)
    clean.documents, search.documents = funnel.found.documents, funnel.found.documents
    done = stage_table([clean, search, written], started)
    console = Console(file=sys.stdout, width=min(140, max(100, Console().width)), highlight=False)
    print_table("Stages", done, console)
    print_table("What became of the documents", funnel.steps(), console)
    console.print(f"snapshot: {place}\n  report: {place}/report.html", soft_wrap=True)
    sections = [Section("Documents", [Table(funnel.steps())]), Section("Stages", [Table(done)])]
    Deck("Summary", render_fragment(Report("Summary", f"{opened.manifest.rows:,} documents: {place}", sections)))
    return CuratedCorpus(place, opened.manifest.version, opened.manifest.rows, opened.manifest.tokens)
