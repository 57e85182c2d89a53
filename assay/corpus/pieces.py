"""One file of a source, cleaned: what is kept, what was dropped and why, and marks to find its duplicates by.

Nothing that was read is missing in a piece. Documents that are dropped keep their text, so that a report can show them;
what could not be read is a row without a text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.corpus import files
from assay.corpus.acquire import Columns, canonical, text_of
from assay.corpus.clean import CleanConfig, Cleaner
from assay.corpus.damage import Damage
from assay.corpus.decontaminate import NONE, Benchmarks
from assay.corpus.extract import SECONDS, Extracted, Extractor, Page
from assay.dedup import DedupConfig, marks
from assay.errors import InputError

ADDED = {
    "language": pa.string(),
    "language_probability": pa.float64(),
    "contamination": pa.float64(),
    "contaminated_by": pa.string(),
}
"""Columns of a kept document beside those of its source. `contamination` is the share of its word 13-grams that stand
in a benchmark, `contaminated_by` the benchmarks' files, separated by commas."""
ABOUT = {
    "_reason": pa.string(),
    "_value": pa.float64(),
    "_detail": pa.string(),
    "_file": pa.string(),
    "_row": pa.int64(),
}
"""Why a document is dropped (empty: it is kept), what was measured, more in words; and where it came from."""
UNREADABLE = "unreadable"
EXTRACTION = "extraction"


@dataclass(frozen=True)
class BuildConfig:
    """What is done to every document of a source."""

    columns: Columns = field(default_factory=Columns)
    clean: CleanConfig = field(default_factory=CleanConfig)
    dedup: DedupConfig = field(default_factory=DedupConfig)
    page_seconds: float = SECONDS
    """For the extraction of one page."""

    def __post_init__(self) -> None:
        if self.page_seconds <= 0:
            raise InputError(f"page_seconds is {self.page_seconds:g}", fix="Give more than 0")


class PieceMaker:
    """A context manager that makes pieces of files, one like the other: none depends on those before it."""

    def __init__(self, config: BuildConfig, schema: pa.Schema, benchmarks: Benchmarks | None) -> None:
        """`schema`: the columns of all files of the source together (`readable_schema`)."""
        self._config, self._schema, self._benchmarks = config, schema, benchmarks
        self._pages = "html" in schema.names and config.columns.text not in schema.names
        self._cleaner = Cleaner(config.clean)
        self._extractor = Extractor(seconds=config.page_seconds)

    def __enter__(self) -> "PieceMaker":
        if self._pages:
            self._extractor.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pages:
            self._extractor.__exit__(*exception)

    def make(self, fs: Any, path: str) -> Iterator[pa.RecordBatch]:
        """Rows of the piece of one file: the columns of the source under Assay's names, ADDED, ABOUT, and marks.

        The last rows are the places that could not be read. Raises InputError for a column that is missing.
        """
        told: list[Damage] = []
        row, name = 0, path.rsplit("/", 1)[-1]
        for batch in files.read_batches(fs, path, self._schema, damaged=told.append):
            found = [
                {**self._assess(text), "_file": name, "_row": number}
                for number, text in enumerate(self._texts(batch, path), start=row)
            ]
            yield self._rows(batch, found, path)
            row += batch.num_rows
        if told:
            nothing = pa.RecordBatch.from_pylist([{}] * len(told), schema=self._schema)
            lost = [
                {"_reason": UNREADABLE, "_detail": f"{each.place} {each.what}".strip(), "_file": name} for each in told
            ]
            yield self._rows(nothing, lost, path)

    def _texts(self, batch: pa.RecordBatch, path: str) -> list[Extracted]:
        """Of each row, extracted where it is a page."""
        if self._pages:
            return list(self._extractor.extract([_page(row) for row in batch.to_pylist()]))
        if self._config.columns.text not in batch.schema.names:
            canonical(batch, self._config.columns, path)  # says what is missing
        return [Extracted(text or "") for text in text_of(batch, self._config.columns, path).to_pylist()]

    def _rows(self, batch: pa.RecordBatch, found: list[dict[str, Any]], path: str) -> pa.RecordBatch:
        """The batch with what was found: the text as it is now, and the columns that are added."""
        name = self._config.columns.text
        texts = pa.array([each.get("text", "") for each in found], pa.large_string())
        if self._pages:
            batch = batch.drop_columns(["html"]).append_column(name, texts)
        else:
            batch = batch.set_column(batch.schema.get_field_index(name), name, texts)
        batch = canonical(batch, self._config.columns, path)
        added = ADDED | ABOUT
        # What the source says of its documents, FineWeb's `language` for one, is kept beside what is found here.
        batch = batch.rename_columns([f"source_{name}" if name in added else name for name in batch.schema.names])
        for column, kind in added.items():
            batch = batch.append_column(column, pa.array([each.get(column) for each in found], kind))
        return self._marked(batch, np.array([not each["_reason"] for each in found], bool))

    def _marked(self, batch: pa.RecordBatch, kept: NDArray[np.bool_]) -> pa.RecordBatch:
        """With what duplicates are found by; null for documents that are dropped."""
        texts = batch["text"].filter(pa.array(kept)).to_pylist()
        found = marks(texts, self._config.dedup)
        place = np.cumsum(kept) - 1
        little = {"_digest": found.digest.astype("<u8"), "_bands": found.bands.astype("<u8"), "_bits": found.bits}
        for column, values in little.items():
            cells = [values[at].tobytes() if good else None for at, good in zip(place, kept, strict=True)]
            batch = batch.append_column(column, pa.array(cells, pa.binary(values.shape[1] * values.itemsize)))
        return batch

    def _assess(self, extracted: Extracted) -> dict[str, Any]:
        """What becomes of one text."""
        if extracted.problem:
            return {"_reason": EXTRACTION, "_detail": extracted.problem}
        cleaned = self._cleaner.clean(extracted.text)
        overlap = self._benchmarks.overlap(cleaned.text) if self._benchmarks and not cleaned.reason else NONE
        return {
            "text": cleaned.text,
            "language": cleaned.language,
            "language_probability": cleaned.language_probability,
            "contamination": overlap.share,
            "contaminated_by": ",".join(overlap.benchmarks),
            "_reason": cleaned.reason,
            "_value": cleaned.value,
        }


def _page(row: dict[str, Any]) -> Page:
    html = row["html"] or b""
    if isinstance(html, str):
        return Page(html.encode("utf-8", "replace"), row.get("mime") or "", "utf-8")
    return Page(html, row.get("mime") or "", row.get("charset") or "")
