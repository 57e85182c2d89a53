"""The scores of a corpus: all parts of a plan, their totals and their histogram."""

import json
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import pandas as pd

from assay.errors import InputError
from assay.model import MEANING
from assay.progress import say
from assay.rubric import Rubric
from assay.scoring.histogram import TokenHistogram
from assay.scoring.plan import Part, PartFolder, bins_of
from assay.scoring.sidecar import SCHEMA, PartFile, Totals, histogram_of
from assay.storage import exists, join, list_names, write_bytes

MANIFEST = "_manifest.json"
AT_ONCE = 16
"""Footers that are read at once. In an object store they are waited for."""


def batched(parts: Iterable[Part], size: int) -> Iterator[list[Part]]:
    """Yield parts in lists of at most `size`."""
    left = iter(parts)
    while some := list(islice(left, size)):
        yield some


@dataclass(frozen=True)
class Scores:
    """The scores of all documents of a corpus."""

    folder: PartFolder
    totals: Totals
    histogram: TokenHistogram
    rubric: str = ""
    """Further rubric of the model whose figures replace those of the main rubric. Empty: the main rubric."""

    @classmethod
    def complete(cls, folder: PartFolder) -> "Scores":
        """Merge the counts of the parts, and write the manifest if it does not exist.

        The manifest has the same bytes whichever process scored which part. Raise InputError if parts are missing.
        """
        if missing := folder.missing():
            raise InputError(
                f"{len(missing)} of {len(folder.plan.parts())} parts are not scored yet",
                where=folder.url,
                fix="Run the same command again: it resumes with them",
            )
        parts = folder.plan.parts()
        unchecked, totals, histograms = 0, Totals(), list[TokenHistogram]()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in batched(parts, 4 * AT_ONCE):  # the histograms of all parts at once would fill the memory
                footers = list(pool.map(lambda part: PartFile(folder, part).read_footer(), some))
                unchecked += sum(not footer.checked for footer in footers)
                totals = Totals.sum([totals, *(footer.totals for footer in footers)])
                histograms = [TokenHistogram.merge([*histograms, *(footer.histogram for footer in footers)])]
        if unchecked:
            say(f"{unchecked:,} of {len(parts):,} parts have no checksums: damage in them may stay unnoticed")
        histogram = TokenHistogram.merge(histograms)
        manifest = {"plan": folder.plan.to_json(), "totals": totals.to_json(), "parts": len(parts)}
        if not exists(folder.place(MANIFEST)):
            write_bytes(folder.place(MANIFEST), (json.dumps(manifest, indent=2) + "\n").encode())
        return cls(folder, totals, histogram)

    def by(self, rubric: Rubric) -> "Scores":
        """Return the scores by a further rubric of the model, counted again in one pass over the parts."""
        viewed = replace(self, rubric=rubric.name)
        counts = [(Totals.of(table), histogram_of(table, bins_of(rubric))) for _, table in viewed.rows()]
        return replace(
            viewed,
            totals=Totals.sum([totals for totals, _ in counts]),
            histogram=TokenHistogram.merge([histogram for _, histogram in counts]),
        )

    def rows(self, columns: list[str] | None = None) -> Iterator[tuple[Part, pd.DataFrame]]:
        """Yield the Sidecar of each part, in the order of the snapshot."""
        for part in self.folder.plan.parts():
            yield part, read_part(self.folder, part, columns, self.rubric)


def read_rows(
    folder: PartFolder, start: int, stop: int, columns: list[str] | None = None, rubric: str = ""
) -> pd.DataFrame:
    """Return the Sidecar of the rows from `start` to before `stop`. Only the parts that hold them are read.

    With a further rubric of the model, its figures replace those of the main one.
    """
    tables = [
        read_part(folder, part, columns, rubric).iloc[max(start - part.start, 0) : stop - part.start]
        for part in folder.plan.parts_between(start, stop)
    ]
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0].reset_index(drop=True)


def read_part(folder: PartFolder, part: Part, columns: list[str] | None = None, rubric: str = "") -> pd.DataFrame:
    """Return the Sidecar of one part. `rubric`: a further one, whose figures replace those of the main rubric."""
    names = {f"{rubric}_{name}": name for name in MEANING} if rubric else {}
    if names:
        # The columns of the main rubric are left out: renamed, the further rubric's have their names.
        stored = {name: column for column, name in names.items()}
        columns = [stored.get(name, name) for name in columns or SCHEMA.names]
    return PartFile(folder, part).read(columns).rename(columns=names)


def complete_folders(root: str) -> list[PartFolder]:
    """Return the folders below `root` whose scores are complete."""
    return [PartFolder.open(join(root, name)) for name in list_names(root) if exists(join(root, name, MANIFEST))]


def scores_of_all(root: str, snapshot: str, model: str) -> Scores | None:
    """Return scores of every document of a snapshot's version by a model's digest. None if there are none."""
    found = [
        folder
        for folder in complete_folders(root)
        if (folder.plan.snapshot, folder.plan.model, folder.plan.rejection) == (snapshot, model, None)
    ]
    return Scores.complete(min(found, key=lambda folder: folder.plan.backend is not None)) if found else None


def _widest(folders: list[PartFolder]) -> list[PartFolder]:
    """Return the folders without those that others make needless.

    Of the same scores those with fewer documents rejected are left, and of these the ones by the reference.
    """

    def worth(folder: PartFolder) -> tuple[float, bool]:
        return (folder.plan.rejection.cut if folder.plan.rejection else -math.inf, folder.plan.backend is not None)

    widest: dict[str, PartFolder] = {}
    for folder in folders:
        plan = replace(folder.plan, rejection=None, backend=None, config=folder.plan.config.by_reference())
        if plan.key not in widest or worth(folder) < worth(widest[plan.key]):
            widest[plan.key] = folder
    return list(widest.values())


def find_scores(root: str, snapshot: str, model: str = "") -> Scores:
    """Find the complete scores of a snapshot's version below `root`.

    `model` is the beginning of a model's digest, and may be left out if one model scored the corpus. Raise InputError
    if no scores match, or several.
    """
    found = _widest(
        [
            folder
            for folder in complete_folders(root)
            if folder.plan.snapshot == snapshot and folder.plan.model.startswith(model)
        ]
    )
    if len(found) != 1:
        names = ", ".join(f"model {folder.plan.model[:12]} with tokenizer {folder.plan.tokenizer}" for folder in found)
        raise InputError(
            f"{'no complete' if not found else 'more than one set of'} scores of this corpus",
            where=root,
            fix=f"Name the model: {names}" if found else "Run `assay score` first, to its end",
        )
    return Scores.complete(found[0])
