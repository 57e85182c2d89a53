"""The summary at the end of an annotation. Never cached: it reports what this run took from the store."""

import sys
from dataclasses import dataclass

import pandas as pd
from flytekit import Deck, task
from flytekit.types.file import FlyteFile
from rich.console import Console

from assay.report import Report, Section, Table, print_table, render_fragment
from assay.storage import Snapshot
from tasks.annotate import read_asked
from tasks.support.resources import light
from tasks.support.shelf import shelved
from tasks.support.stages import Stage, stage_table, together
from tasks.support.types import SnapshotFolder, place_of


@dataclass
class LabelledDocuments:
    """A labelled snapshot, and its size."""

    place: str
    """Folder or URL, which `assay train --data` reads."""
    version: str
    labelled: int
    unanswered: int

    def __str__(self) -> str:
        """Return what `pyflyte run` prints last."""
        return f"labelled {self.labelled:,} documents, {self.unanswered:,} without a label: {self.place}"


@task(enable_deck=True, **light())
def summarise_annotation(
    started: float, snapshot: SnapshotFolder, acquired: Stage, planned: Stage, asked: list[FlyteFile], written: Stage
) -> LabelledDocuments:
    """Print the stages, the counts, and the place of the labels."""
    opened = Snapshot.open(place_of(snapshot))
    place = shelved(opened, "labels")
    counts = opened.manifest.provenance["annotation"]["counts"]
    shares = read_asked(asked)
    line = together("Ask the judges", [share.stage for share in shares], planned)
    line.remark = f"{sum(s.calls for s in shares):,} calls, {sum(s.reused for s in shares):,} answers existed"
    # Columns of the source are read while the labels are written: without models nothing is dealt out.
    done = stage_table([acquired, *([line] if shares else []), written], started)
    reasons = pd.DataFrame(counts["unanswered"].items(), columns=["without a label", "documents"])
    console = Console(file=sys.stdout, width=min(140, max(100, Console().width)), highlight=False)
    print_table("Stages", done, console)
    if len(reasons):
        print_table("Documents without a label", reasons, console)
    console.print(f"labels: {place}\n  report: {place}/_report.html", soft_wrap=True)
    Deck("Summary", render_fragment(Report("Summary", place, [Section("Stages", [Table(done)])])))
    unanswered = counts["documents"] - counts["labelled"]
    return LabelledDocuments(place, opened.manifest.version, opened.manifest.rows, unanswered)
