"""Which document went to which part, for ever: a numbered log of Parquet files that can only grow."""

import datetime
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage import create, join, list_names, read_bytes

PARTS = ("train", "calibration", "test")
SET_ASIDE = "set_aside"
METADATA = b"assay"
SCHEMA = pa.schema([("id", pa.string()), ("part", pa.string())])


def _name(number: int) -> str:
    return f"{number:08d}.parquet"


@dataclass(frozen=True)
class Ledger:
    """The assignments made so far, in a folder or below any fsspec URL.

    Entry n is `<url>/0000000n.parquet`: `id` and `part` of the documents that run n was the first to assign, and
    under the key `assay` of the file's metadata, as JSON, how many they are, when, and why. An entry is never
    written again.
    """

    url: str
    """The folder; it need not exist yet."""

    def number(self) -> int:
        """How many entries there are. Raises InputError where one is missing."""
        names = [name for name in list_names(self.url) if name.endswith(".parquet")]
        if names != [_name(number) for number in range(1, len(names) + 1)]:
            raise InputError(
                f"the ledger's entries are not numbered 1 to {len(names)}",
                where=self.url,
                fix="Restore the missing entries: without them test documents could get into training",
            )
        return len(names)

    def read(self) -> dict[str, str]:
        """Part of every document ever assigned, by id. Raises InputError where an entry is damaged."""
        known: dict[str, str] = {}
        for number in range(1, self.number() + 1):
            url = join(self.url, _name(number))
            try:
                table = pq.read_table(io.BytesIO(read_bytes(url))).select(SCHEMA.names).cast(SCHEMA)
            except (pa.ArrowException, KeyError) as error:
                raise InputError(f"the entry cannot be read: {error}", where=url) from error
            ids, parts = table["id"].to_pylist(), table["part"].to_pylist()
            if not set(parts) <= set(PARTS) or not known.keys().isdisjoint(ids):
                raise InputError("the entry has an unknown part, or a document of an earlier entry", where=url)
            known.update(zip(ids, parts, strict=True))
        return known

    def append(
        self, assignment: pd.DataFrame, known: Mapping[str, str], *, provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Record the documents (`id`, `part`) that are not in `known`, which `read` gave before the split.

        Documents that were set aside are left out: the next run considers them again. Where nothing is left,
        nothing is written. Raises InputError where another run has recorded something since `known` was read: of
        several writers exactly one succeeds.
        """
        fresh = assignment["part"].isin(PARTS) & ~assignment["id"].isin(known.keys())
        new = assignment.loc[fresh, ["id", "part"]].sort_values("id")
        if new.empty:
            return
        number = self.number()  # before reading: an entry written in between makes `create` fail
        if len(self.read()) != len(known):
            raise self._overtaken()
        note = {
            "documents": len(new),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **(provenance or {}),
        }
        table = pa.Table.from_pandas(new, schema=SCHEMA, preserve_index=False)
        table = table.replace_schema_metadata({METADATA: json.dumps(note).encode()})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        try:
            create(join(self.url, _name(number + 1)), buffer.getvalue())
        except FileExistsError as error:
            raise self._overtaken() from error

    def _overtaken(self) -> InputError:
        return InputError(
            "another split was recorded while this one was made",
            where=self.url,
            fix="Run the split again; it will take the other's assignments into account",
        )
