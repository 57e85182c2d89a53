"""Clean the members of a source into a piece: one row for each document, kept or dropped, with marks for duplicates.

A piece has everything that was read. A dropped document keeps its text, so that a report can show it. A place that
could not be read is a row without text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.cleaning import MARKS, NO_OVERLAP, Benchmarks, Cleaner, Extracted, Extractor, Page
from assay.curation.config import BuildConfig
from assay.dedup import DedupConfig, marks, text_digest
from assay.sources import Columns, Damage, Passed, Source, canonical, free_names, text_of, with_roles

ADDED = {
    "language": pa.string(),
    "language_probability": pa.float64(),
    "contamination": pa.float64(),
    "contaminated_by": pa.string(),
}
"""Columns that a kept document has beyond those of its source.

`contamination`: share of its word 13-grams that are in a benchmark. `contaminated_by`: names of the benchmarks' files,
separated by commas.
"""
ABOUT = {
    "_reason": pa.string(),
    "_value": pa.float64(),
    "_detail": pa.string(),
    "_member": pa.string(),
    "_row": pa.int64(),
    "_bytes": pa.int64(),
}
"""Columns about a document that only pieces have.

`_reason`: why it is dropped; empty if it is kept. `_value`: what the filter measured. `_detail`: the reason in words.
`_member` and `_row`: its place in the source. `_bytes`: UTF-8 bytes of its text.
"""
UNREADABLE = "unreadable"
EXTRACTION = "extraction"
TOGETHER = 64
"""Documents of several small members that are cleaned together: an HTML file has one document only."""
MOST_REASONS = 100
"""Reasons to pass over parts that are counted one by one in a piece: servers make up types of content."""
UNREADABLE_ROWS = 1_000
"""Unreadable places that are held in memory before they are written as rows."""


def band_name(band: int) -> str:
    """Return the name of the column with the keys of a band."""
    return f"_band_{band:03d}"


def added_columns(config: BuildConfig) -> dict[str, pa.DataType]:
    """Return the columns that a kept document has beyond those of its source."""
    return ADDED | (dict.fromkeys(MARKS.values(), pa.bool_()) if config.clean.mark else {})


def mark_types(config: BuildConfig) -> dict[str, pa.DataType]:
    """Return the columns by which duplicates are found. They are null for dropped documents."""
    if config.keep_duplicates:
        return {}
    dedup: DedupConfig = config.dedup
    bands = {band_name(band): pa.uint64() for band in range(dedup.permutations // dedup.band_rows)}
    return {"_digest": pa.binary(16), "_bits": pa.binary(dedup.permutations), **bands}


def made_of_pages(schema: pa.Schema, columns: Columns) -> bool:
    """Return True if a source has web pages whose texts are still to be extracted."""
    return "html" in schema.names and columns.text not in schema.names


def piece_schema(schema: pa.Schema, config: BuildConfig, uri: str) -> pa.Schema:
    """Return the schema of the pieces of a source. Raise InputError if a column is missing or is no text."""
    # By the code that makes the rows, on no rows: so the two cannot differ.
    nothing = pa.RecordBatch.from_pylist([], schema=schema)
    if not made_of_pages(schema, config.columns):
        canonical(nothing, config.columns, uri)
    return PieceMaker(config, schema, None).rows(nothing, [], uri).schema


class PieceMaker:
    """A context manager that makes pieces. No piece depends on those made before it."""

    def __init__(self, config: BuildConfig, schema: pa.Schema, benchmarks: Benchmarks | None) -> None:
        """Prepare for a source whose members have together the columns of `schema` (`readable_schema`)."""
        self._config, self._schema, self._benchmarks = config, schema, benchmarks
        self._pages = made_of_pages(schema, config.columns)
        self._cleaner: Cleaner | None = None
        self._extractor = Extractor(seconds=config.page_seconds)
        self.passed: Counter[str] = Counter()
        """Parts of the members of the last piece that hold no documents, by reason."""

    def __enter__(self) -> "PieceMaker":
        self._cleaner = Cleaner(self._config.clean)
        if self._pages:
            self._extractor.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pages:
            self._extractor.__exit__(*exception)

    def make(self, source: Source, members: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a piece: the columns of the source under Assay's names, ADDED, ABOUT, and marks.

        Unreadable places are rows after the documents that were read before them.
        """
        damages: list[tuple[str, Damage]] = []
        self.passed = Counter()
        for batch, places in self._read(source, members, damages):
            found = [
                {**self._assess(text), "_member": member, "_row": row}
                for text, (member, row) in zip(self._texts(batch, source.uri), places, strict=True)
            ]
            yield self.rows(batch, found, source.uri)
            if len(damages) >= UNREADABLE_ROWS:
                yield self._unreadable(damages, source.uri)
                damages.clear()
        if damages:
            yield self._unreadable(damages, source.uri)

    def _read(
        self, source: Source, members: Sequence[str], damages: list[tuple[str, Damage]]
    ) -> Iterator[tuple[pa.RecordBatch, list[tuple[str, int]]]]:
        """Yield batches with the member and row of each document, and add unreadable places to `damages`."""
        held: list[pa.RecordBatch] = []
        places: list[tuple[str, int]] = []
        schema = with_roles(self._schema, self._config.columns.text, self._config.columns.names)
        for member in members:
            row = 0
            for batch in source.read(member, schema, partial(self._note, damages, member)):
                held.append(batch)
                places += [(member, number) for number in range(row, row + batch.num_rows)]
                row += batch.num_rows
                # A member with a piece of its own has batches of many rows. An HTML file has one row.
                if len(members) == 1 or len(places) >= TOGETHER:
                    yield pa.concat_batches(held), places
                    held, places = [], []
        if held:
            yield pa.concat_batches(held), places

    def _note(self, damages: list[tuple[str, Damage]], member: str, found: Damage | Passed) -> None:
        if isinstance(found, Damage):
            damages.append((member, found))
        else:
            known = found.reason in self.passed or len(self.passed) < MOST_REASONS
            self.passed[found.reason if known else "other reasons"] += found.count

    def _unreadable(self, damages: list[tuple[str, Damage]], uri: str) -> pa.RecordBatch:
        nothing = pa.RecordBatch.from_pylist([{}] * len(damages), schema=self._schema)
        lost = [
            {"_reason": UNREADABLE, "_detail": f"{each.place} {each.what}".strip(), "_member": member}
            for member, each in damages
        ]
        return self.rows(nothing, lost, uri)

    def _texts(self, batch: pa.RecordBatch, uri: str) -> list[Extracted]:
        """Return the text of each row, extracted if it is a web page."""
        if self._pages:
            return list(self._extractor.extract([_page(row) for row in batch.to_pylist()]))
        return [Extracted(text or "") for text in text_of(batch, self._config.columns, uri).to_pylist()]

    def rows(self, batch: pa.RecordBatch, found: list[dict[str, Any]], uri: str) -> pa.RecordBatch:
        """Return the batch with what was found for each row: its cleaned text, and the added columns."""
        name = self._config.columns.text
        texts = pa.array([each.get("text", "") for each in found], pa.large_string())
        if self._pages:
            batch = batch.drop_columns(["html"]).append_column(name, texts)
        else:
            batch = batch.set_column(batch.schema.get_field_index(name), name, texts)
        batch = _named(canonical(batch, self._config.columns, uri))
        added = added_columns(self._config) | ABOUT
        ours = added | mark_types(self._config)
        # A column of the source with the name of one of ours, as FineWeb's `language`, is kept as `source_language`.
        batch = batch.rename_columns(list(free_names(batch.schema.names, ours).values()))
        sizes = pc.cast(pc.binary_length(batch["text"]), pa.int64())
        for column, kind in added.items():
            cells = sizes if column == "_bytes" else pa.array([each.get(column) for each in found], kind)
            batch = batch.append_column(column, cells)
        return self._marked(batch, np.array([not each["_reason"] for each in found], bool))

    def _marked(self, batch: pa.RecordBatch, kept: NDArray[np.bool_]) -> pa.RecordBatch:
        """Return the batch with the marks of its kept documents."""
        if self._config.keep_duplicates:
            return batch
        found = marks(batch["text"].filter(pa.array(kept)).to_pylist(), self._config.dedup)
        place = pa.array(np.cumsum(kept) - 1, mask=~kept)
        numbers = {band_name(band): keys for band, keys in enumerate(found.bands.T)}
        little = {"_digest": found.digest.astype("<u8"), "_bits": found.bits}
        for column, kind in mark_types(self._config).items():
            if column in little:
                cells = pa.array([row.tobytes() for row in little[column]], kind)
            else:
                cells = pa.array(numbers[column], kind)
            batch = batch.append_column(column, cells.take(place))
        return batch

    def _assess(self, extracted: Extracted) -> dict[str, Any]:
        """Clean one text, and return the cells of its row."""
        if extracted.problem:
            return {"_reason": EXTRACTION, "_detail": extracted.problem}
        assert self._cleaner is not None, "a PieceMaker is a context manager"
        cleaned = self._cleaner.clean(extracted.text)
        overlap = self._benchmarks.overlap(cleaned.text) if self._benchmarks and not cleaned.reason else NO_OVERLAP
        return {
            "text": cleaned.text,
            "language": cleaned.language,
            "language_probability": cleaned.language_probability,
            "contamination": overlap.share,
            "contaminated_by": ",".join(overlap.benchmarks),
            "_reason": cleaned.reason,
            "_value": cleaned.value,
            **{column: column in cleaned.marks for column in MARKS.values()},
        }


def _named(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with an id for every document: the digest of its text if the source has none."""
    ids = batch["id"]
    if not ids.null_count:
        return batch
    lacking = zip(ids.to_pylist(), batch["text"].to_pylist(), strict=True)
    names = [text_digest(text or "") if name is None else name for name, text in lacking]
    return batch.set_column(batch.schema.get_field_index("id"), "id", pa.array(names, pa.string()))


def _page(row: dict[str, Any]) -> Page:
    html = row["html"] or b""
    if isinstance(html, str):
        return Page(html.encode("utf-8", "replace"), row.get("mime") or "", "utf-8")
    return Page(html, row.get("mime") or "", row.get("charset") or "")
