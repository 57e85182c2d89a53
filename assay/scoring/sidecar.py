"""A part: one immutable Parquet file of scores, with its counts and its place in the footer.

Damage is noticed: pages have checksums, the footer has a seal, and states which plan and which rows the part is of. The
parts of earlier releases have none of these. They are read as they are, and counted.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
from pandera.typing import Series

from assay.errors import InputError
from assay.inference import Assessment
from assay.scoring.histogram import Bins, TokenHistogram
from assay.scoring.plan import Part, PartFolder
from assay.storage import (
    only_known_fields,
    open_binary,
    open_parquet,
    parquet_bytes,
    parse_record,
    read_columns,
    write_bytes,
)

FOOTER = b"assay"
REJECTED = "rejected"
"""Reason of a document that a cheap model rejected before. It is none of REASONS: nothing is wrong with it."""
MOST_SLICES = 1_000
"""Values of the column to slice by in one part. The footer of each part has the counts of every one of them."""
FIX = "Remove it, and score again"


class Sidecar(Assessment):
    """One row for each document of the snapshot, in its order, without the text.

    If a model has several rubrics, the columns of the further ones follow these. The counts in the footer are those of
    the main rubric.
    """

    id: Series[str] = pa.Field()
    budget_tokens: Series[int] = pa.Field(ge=0, description="tokens by the plan's tokenizer; 0 if unscored")
    slice: Series[str] = pa.Field(description="value of the column to slice by; empty without one")

    class Config:
        strict = True
        coerce = True


SCHEMA = arrow.schema(
    {
        "id": arrow.string(),
        "score": arrow.float64(),
        "calibrated": arrow.float64(),
        "p_keep": arrow.float64(),
        "grade": arrow.int64(),
        "keep": arrow.bool_(),
        "tokens": arrow.int64(),
        "read": arrow.float64(),
        "language": arrow.string(),
        "in_scope": arrow.bool_(),
        "reason": arrow.string(),
        "budget_tokens": arrow.int64(),
        "slice": arrow.string(),
    }
)


@only_known_fields
@dataclass(frozen=True)
class Totals:
    """Counts of a part, or of a corpus."""

    documents: int = 0
    scored: int = 0
    """Documents with a score."""
    in_scope: int = 0
    """Documents with a score that are not surely in a language the model was not made for."""
    kept: int = 0
    """Documents in scope whose score reaches the model's cut."""
    tokens: int = 0
    """Tokens of the scored documents, by the model's tokenizer."""
    tokens_read: int = 0
    """Those of them that the model read."""
    budget_tokens: int = 0
    """Tokens of the documents in scope, by the plan's tokenizer."""
    kept_tokens: int = 0
    """Tokens of the kept documents, by the plan's tokenizer."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason -> documents without a score."""
    foreign: Mapping[str, int] = field(default_factory=dict)
    """Language -> documents out of scope."""
    rejected: int = 0
    """Documents in scope that a cheap model rejected, so that they have no score."""

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Totals":
        """Count the documents of a Sidecar."""
        scored, rejected = table["reason"].isna(), table["reason"] == REJECTED
        scope = scored & table["in_scope"]
        kept = scope & table["keep"].fillna(False).astype(bool)
        return cls(
            documents=len(table),
            scored=int(scored.sum()),
            in_scope=int(scope.sum()),
            kept=int(kept.sum()),
            tokens=int(table.loc[scored, "tokens"].sum()),
            tokens_read=int((table["tokens"] * table["read"])[scored].round().sum()),
            budget_tokens=int(table.loc[scope, "budget_tokens"].sum()),
            kept_tokens=int(table.loc[kept, "budget_tokens"].sum()),
            reasons=dict(sorted(Counter(table["reason"].dropna()).items())),
            foreign=dict(sorted(Counter(table.loc[(scored | rejected) & ~table["in_scope"], "language"]).items())),
            rejected=int((rejected & table["in_scope"]).sum()),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. Without rejected documents there is no such field, as in earlier releases."""
        fields = asdict(self)
        if not self.rejected:
            del fields["rejected"]
        return fields

    @classmethod
    def sum(cls, parts: list["Totals"]) -> "Totals":
        """Add up the totals of parts, in any order."""
        numbers = [name for name, value in asdict(cls()).items() if isinstance(value, int)]
        merged: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in numbers}
        for name in ("reasons", "foreign"):
            counts: Counter[str] = Counter()
            for part in parts:
                counts.update(getattr(part, name))
            merged[name] = dict(sorted(counts.items()))
        return cls(**merged)


def histogram_of(table: pd.DataFrame, bins: Bins) -> TokenHistogram:
    """Count the documents of a Sidecar that can be selected: those with a score and in scope.

    Raise InputError if the column to slice by has more than MOST_SLICES values.
    """
    able = table[table["reason"].isna() & table["in_scope"]]
    if able["slice"].nunique() > MOST_SLICES:
        raise InputError(
            f"the column to slice by has more than {MOST_SLICES:,} values in one part",
            fix="Slice by a column of few values",
        )
    return TokenHistogram.of(
        bins, able["score"].to_numpy(float), able["budget_tokens"].to_numpy(np.int64), able["slice"].tolist()
    )


@dataclass(frozen=True)
class PartFooter:
    """The counts of a part, as its footer states them."""

    totals: Totals
    histogram: TokenHistogram
    checked: bool
    """True if the file has checksums, so that damage in it is noticed."""


@dataclass(frozen=True)
class PartFile:
    """The file of one part of a plan."""

    folder: PartFolder
    part: Part

    @property
    def url(self) -> str:
        """Path or URL of the file."""
        return self.folder.place(self.part.name)

    @property
    def place(self) -> list[str | int]:
        """What the footer states of its place: the key of the plan, the first row, and the row after the last one."""
        return [self.folder.plan.key, self.part.start, self.part.stop]

    def write(self, table: pd.DataFrame) -> None:
        """Write a Sidecar: the same bytes for the same table. The file appears when it is complete."""
        counts = {
            "totals": Totals.of(table).to_json(),
            "histogram": histogram_of(table, self.folder.plan.bins).to_json(),
        }
        note = json.dumps({**counts, "of": self.place}, sort_keys=True, separators=(",", ":"))
        further = arrow.Schema.from_pandas(table.drop(columns=SCHEMA.names), preserve_index=False)
        columns = arrow.schema([*SCHEMA, *further])
        rows = arrow.Table.from_pandas(table, schema=columns, preserve_index=False)
        write_bytes(self.url, parquet_bytes(rows.replace_schema_metadata(None), {FOOTER: note}))

    def read_footer(self) -> PartFooter:
        """Read the counts, without the rows. Raise InputError if the file is missing, damaged or of another part."""
        with self._opened() as (_, note):
            about = {"what": "this part of the scores", "where": self.url, "fix": FIX}
            totals = parse_record(Totals, note["totals"], **about)
            return PartFooter(totals, TokenHistogram.from_json(note["histogram"]), checked="of" in note)

    def read(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Read the rows, in the order of the snapshot. Raise InputError as `read_footer`."""
        with self._opened() as (file, _):
            return read_columns(file, columns).to_pandas()

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield the open Parquet file and the note in its footer, which is one of this part."""
        try:
            with open_binary(self.url) as raw:
                file = open_parquet(raw)
                note, rows = json.loads(file.metadata.metadata[FOOTER]), file.metadata.num_rows
                if rows != self.part.stop - self.part.start or note.get("of", self.place) != self.place:
                    raise ValueError(f"it has {rows:,} rows of {note.get('of', 'an unknown plan')}, not {self.place}")
                yield file, note
        except InputError:
            raise
        except (OSError, arrow.ArrowException, AttributeError, KeyError, TypeError, ValueError) as error:
            words = str(error).splitlines() or [repr(error)]
            raise InputError(f"this part of the scores cannot be read: {words[0]}", where=self.url, fix=FIX) from error
