"""Marks of documents whose texts are gone: what a model was made of, and what a ledger has recorded."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.dedup import DedupConfig, near_any, signatures
from assay.errors import InputError

WIDTH = DedupConfig().permutations
COLUMNS = [pa.field("group", pa.string()), pa.field("signature", pa.binary(WIDTH))]
"""Columns of the marks in a table of documents; null where a document has no group or was recorded without marks."""


@dataclass(frozen=True)
class DocumentMarks:
    """Marks of n documents: by them near-duplicates and members of the same groups are recognised."""

    bits: NDArray[np.uint8]
    """`signatures` of the texts, shape (n, 128)."""
    group: NDArray[Any]
    """Digests of the groups, shape (n,); empty for no group."""

    @classmethod
    def of(cls, texts: Sequence[str], groups: Sequence[Any] | pd.Series, *, progress: bool = False) -> "DocumentMarks":
        """Return the marks of documents. Takes 1 ms for a web document."""
        return cls(signatures(texts, progress=progress), np.array([_digest(name) for name in groups], dtype=object))

    def columns(self) -> dict[str, pa.Array]:
        """Return the marks as the columns COLUMNS."""
        return {
            "group": pa.array([name or None for name in self.group], pa.string()),
            "signature": pa.array([row.tobytes() for row in self.bits], pa.binary(WIDTH)),
        }


@dataclass(frozen=True)
class KnownDocuments:
    """Documents that are known by their marks."""

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"id": [], "part": [], "group": []}, dtype=object))
    """`id` (or the digest of the text), `part`, `group`."""
    bits: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, WIDTH), np.uint8))
    """`signatures`, shape (n, 128)."""
    unmarked: int = 0
    """Documents without marks, which an earlier release recorded. They are not in `table`."""

    @classmethod
    def read(cls, table: pa.Table, key: str, *, where: str) -> "KnownDocuments":
        """Return the documents of a table with the columns `key`, `part` and, unless it is old, COLUMNS.

        Raise InputError if signatures have another length.
        """
        if "signature" not in table.column_names:
            return cls(unmarked=table.num_rows)
        if table.schema.field("signature").type != pa.binary(WIDTH):
            raise InputError(f"signatures are {table.schema.field('signature').type}, not {WIDTH} bytes", where=where)
        marked = table.filter(table["signature"].is_valid())
        found = marked.select([key, "part", "group"]).to_pandas().rename(columns={key: "id"}).astype(object)
        bits = np.frombuffer(b"".join(marked["signature"].to_pylist()), np.uint8).reshape(-1, WIDTH)
        return cls(found.fillna({"group": ""}), bits, table.num_rows - marked.num_rows)

    @classmethod
    def together(cls, parts: Sequence["KnownDocuments"]) -> "KnownDocuments":
        """Return the documents of several tables as one."""
        if not parts:
            return cls()
        return cls(
            pd.concat([each.table for each in parts], ignore_index=True),
            np.concatenate([each.bits for each in parts]),
            sum(each.unmarked for each in parts),
        )

    def __len__(self) -> int:
        return len(self.table)

    def where(self, chosen: NDArray[np.bool_] | pd.Series) -> "KnownDocuments":
        """Return the documents of a mask of shape (n,)."""
        mask = np.asarray(chosen, bool)
        return KnownDocuments(self.table[mask].reset_index(drop=True), self.bits[mask], self.unmarked)

    def in_parts(self, parts: Collection[str]) -> "KnownDocuments":
        """Return the documents of some parts."""
        return self.where(self.table["part"].isin(list(parts)))

    def near(self, marks: DocumentMarks) -> NDArray[np.bool_]:
        """Return True for each of m documents that is a near-duplicate of a known one, shape (m,)."""
        return near_any(marks.bits, self.bits)

    def share_group(self, marks: DocumentMarks) -> NDArray[np.bool_]:
        """Return True for each of m documents whose group a known one has, shape (m,)."""
        names = set(self.table["group"]) - {""}
        return np.array([name in names for name in marks.group], bool)


NONE_KNOWN = KnownDocuments()


def _digest(group: Any) -> str:
    """Return 32 hex digits for a group, or an empty text for no group. The name can be guessed, but not read."""
    if group is None or group == "" or pd.isna(group):
        return ""
    return hashlib.sha256(str(group).encode("utf-8", "surrogatepass")).hexdigest()[:32]
