"""The scores of a whole corpus: all parts of a plan, their totals and their histogram."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import pandas as pd

from assay.errors import InputError
from assay.model import MEANING
from assay.rubric import Rubric
from assay.scoring.histogram import TokenHistogram
from assay.scoring.plan import Part, PartFolder, bins_of
from assay.scoring.sidecar import SCHEMA, Totals, histogram_of, read_footer, read_part
from assay.storage import exists, join, list_names, write_bytes

MANIFEST = "_manifest.json"


@dataclass(frozen=True)
class Scores:
    """Complete scores."""

    folder: PartFolder
    totals: Totals
    histogram: TokenHistogram
    rubric: str = ""
    """Further rubric of the model whose figures stand in place of the main one's; empty: the main one's do."""

    @classmethod
    def complete(cls, folder: PartFolder) -> "Scores":
        """Merge what the parts counted, and write the manifest: the same bytes whoever scored what, and when.

        Raises InputError where parts are missing.
        """
        if missing := folder.missing():
            raise InputError(
                f"{len(missing)} of {len(folder.plan.parts())} parts are not scored yet",
                where=folder.url,
                fix="Run the same command again: it goes on with them",
            )
        parts = [read_footer(join(folder.url, part.name)) for part in folder.plan.parts()]
        totals = Totals.sum([counts for counts, _ in parts])
        histogram = TokenHistogram.merge([counted for _, counted in parts])
        manifest = {"plan": folder.plan.to_json(), "totals": asdict(totals), "parts": len(parts)}
        if not exists(join(folder.url, MANIFEST)):
            write_bytes(join(folder.url, MANIFEST), (json.dumps(manifest, indent=2) + "\n").encode())
        return cls(folder, totals, histogram)

    def by(self, rubric: Rubric) -> "Scores":
        """The same documents as a further rubric of the model ranks them; counted anew, in one pass over the parts."""
        viewed = replace(self, rubric=rubric.name)
        counts = [(Totals.of(table), histogram_of(table, bins_of(rubric))) for _, table in viewed.rows()]
        return replace(
            viewed,
            totals=Totals.sum([totals for totals, _ in counts]),
            histogram=TokenHistogram.merge([histogram for _, histogram in counts]),
        )

    def rows(self, columns: list[str] | None = None) -> Iterator[tuple[Part, pd.DataFrame]]:
        """The Sidecar part by part, in the order of the snapshot."""
        theirs = {f"{self.rubric}_{name}": name for name in MEANING} if self.rubric else {}
        if theirs:
            own = {name: column for column, name in theirs.items()}
            columns = [own.get(name, name) for name in columns or SCHEMA.names]
        for part in self.folder.plan.parts():
            yield part, read_part(join(self.folder.url, part.name), columns).rename(columns=theirs)


def find_scores(root: str, snapshot: str, model: str = "") -> Scores:
    """The complete scores below `root` of a snapshot's version, by a model's digest where there are several.

    Raises InputError where there is none, or more than one.
    """
    folders = [PartFolder.open(join(root, name)) for name in list_names(root) if exists(join(root, name, MANIFEST))]
    found = [folder for folder in folders if folder.plan.snapshot == snapshot and folder.plan.model.startswith(model)]
    if len(found) != 1:
        there = ", ".join(f"model {folder.plan.model[:12]} with tokenizer {folder.plan.tokenizer}" for folder in found)
        raise InputError(
            f"{'no complete' if not found else 'more than one set of'} scores of this corpus",
            where=root,
            fix=f"Name the model: {there}" if found else "Run `assay score` first, to its end",
        )
    return Scores.complete(found[0])
