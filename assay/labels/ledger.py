"""The part of every document ever assigned: a numbered log of Parquet files that only grows."""

import datetime
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.labels.known import COLUMNS, DocumentMarks, KnownDocuments
from assay.storage import NumberedFiles, list_names, open_parquet, parquet_bytes, read_bytes, read_columns

PARTS = ("train", "calibration", "test")
SET_ASIDE = "set_aside"
METADATA = b"assay"
"""Key of an entry's note in the metadata of its Parquet file."""
SCHEMA = pa.schema([("id", pa.string()), ("part", pa.string())])
MARKED = pa.schema([*SCHEMA, *COLUMNS])
"""Schema of the entries since documents are recognised by their marks, too."""
SUFFIX = "parquet"


@dataclass(frozen=True)
class Ledger:
    """The assignments made so far, in a folder or below any fsspec URL.

    Entry n is `<url>/0000000n.parquet`. It holds `id` and `part` of the documents that run n was the first to assign,
    and their marks, by which their near-duplicates and groups are recognised in later runs.
    The key `assay` of the file's metadata holds a note, as JSON: the number of documents, the time, and the provenance.
    An entry is never changed.
    """

    url: str
    """Folder or URL, which need not exist yet."""

    @property
    def files(self) -> NumberedFiles:
        """The numbered files of the entries."""
        return NumberedFiles(self.url)

    def number(self) -> int:
        """Return the number of entries. Raise InputError if one is missing, or if a file has another name."""
        # Stricter than the other logs: a lost entry would let its test documents into training.
        names = [name for name in list_names(self.url) if name.endswith(f".{SUFFIX}")]
        if names != [self.files.name(number, SUFFIX) for number in range(1, len(names) + 1)]:
            raise InputError(
                f"the ledger's entries are not numbered 1 to {len(names)}",
                where=self.url,
                fix="Restore the missing entries: without them test documents could get into training",
            )
        return len(names)

    def read(self) -> dict[str, str]:
        """Return the part of every document ever assigned, by id. Raise InputError if an entry is damaged."""
        return self.read_marked()[0]

    def read_marked(self) -> tuple[dict[str, str], KnownDocuments]:
        """Return `read`, and the documents whose marks were recorded. Raise InputError if an entry is damaged."""
        known: dict[str, str] = {}
        marked = []
        for number in range(1, self.number() + 1):
            url = self.files.place(number, SUFFIX)
            try:
                file = open_parquet(io.BytesIO(read_bytes(url)))
                schema = MARKED if "signature" in file.schema_arrow.names else SCHEMA
                table = read_columns(file, schema.names).cast(schema)
            except (OSError, pa.ArrowException) as error:
                raise InputError(f"the entry cannot be read: {error}", where=url) from error
            ids, parts = table["id"].to_pylist(), table["part"].to_pylist()
            if not set(parts) <= set(PARTS) or not known.keys().isdisjoint(ids):
                raise InputError("the entry has an unknown part, or a document of an earlier entry", where=url)
            known.update(zip(ids, parts, strict=True))
            marked.append(KnownDocuments.read(table, "id", where=url))
        return known, KnownDocuments.together(marked)

    def append(
        self,
        assignment: pd.DataFrame,
        known: Mapping[str, str],
        *,
        marks: DocumentMarks | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        """Record the documents (columns `id`, `part`) that are not in `known`, which `read` returned before the split.

        `marks`: those of the documents, in the order of the assignment.
        Documents that were set aside are not recorded: the next run considers them again. If no document is new,
        nothing is written. Raise InputError if another run has recorded something since `known` was read: of several
        writers exactly one succeeds.
        """
        fresh = assignment["part"].isin(PARTS) & ~assignment["id"].isin(known.keys())
        rows = np.flatnonzero(fresh.to_numpy())
        rows = rows[np.argsort(assignment["id"].to_numpy(object)[rows], kind="stable")]
        new = assignment.iloc[rows][["id", "part"]]
        if new.empty:
            return
        number = self.number()  # before reading: an entry written in between makes `write` fail
        if len(self.read()) != len(known):
            raise self._overtaken()
        note = {
            "documents": len(new),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **(provenance or {}),
        }
        table = pa.Table.from_pandas(new, schema=SCHEMA, preserve_index=False)
        if marks is not None:
            for name, column in marks.columns().items():
                table = table.append_column(name, column.take(pa.array(rows)))
        table = table.replace_schema_metadata({METADATA: json.dumps(note).encode()})
        try:
            self.files.write(number + 1, parquet_bytes(table), SUFFIX)
        except FileExistsError as error:
            raise self._overtaken() from error

    def _overtaken(self) -> InputError:
        return InputError(
            "another split was recorded while this one was made",
            where=self.url,
            fix="Run the split again; it takes the assignments of the other one into account",
        )
