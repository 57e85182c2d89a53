"""References: one row for each document of a mixture, with its cell and its repeat, and no text.

<mixture>/references/rows-000000000000-000000005000.parquet   the references of one part of the scores
<mixture>/mixture.json                                        the manifest, written last
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.errors import InputError
from assay.mixture.cells import Recipe
from assay.mixture.reading import Block
from assay.mixture.state import MixtureJob
from assay.scoring import Part
from assay.storage import join, open_binary, open_parquet, parquet_bytes, read_parquet, write_bytes

FOLDER = "references"
NOTE = b"assay.mixture"
SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "id": pa.string(),
        "topic": pa.string(),
        "bin": pa.int32(),
        "quality": pa.float64(),
        "tokens": pa.int64(),
        "repeat": pa.int32(),
    }
)
"""`row`: number in the corpus. `quality`: the score, or the joined rank. `tokens`: of one copy."""
COUNTS = ("documents", "tokens", "copies", "copied_tokens")
"""Counts of a cell in a mixture: documents and tokens once each, and with repeats."""


def place_of(output: str, part: Part) -> str:
    """Return the path or URL of the references of a part."""
    return join(output, FOLDER, part.name)


def write_references(
    job: MixtureJob, part: Part, block: Block, recipe: Recipe, cells: NDArray[np.int64], repeats: NDArray[np.int64]
) -> None:
    """Write the references of a part, and in the footer the counts of its cells: equal bytes for equal mixtures."""
    there = repeats > 0
    number = np.array([cell.bin for cell in recipe.cells], np.int32)
    table = pd.DataFrame(
        {
            "row": block.row[there],
            "id": block.id[there],
            "topic": block.topic[there],
            "bin": number[cells[there]],
            "quality": block.quality[there],
            "tokens": block.tokens[there],
            "repeat": repeats[there],
        }
    )
    counts = np.zeros((len(recipe.cells), len(COUNTS)), np.int64)
    tokens, times = block.tokens[there], repeats[there]
    np.add.at(counts, cells[there], np.stack([np.ones_like(tokens), tokens, times, times * tokens], axis=1))
    some = {int(cell): counts[cell].tolist() for cell in np.flatnonzero(counts[:, 0])}
    note = json.dumps({"of": job.key, "counts": some}, sort_keys=True, separators=(",", ":"))
    rows = pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
    write_bytes(place_of(job.output, part), parquet_bytes(rows, {NOTE: note}))


def read_counts(job: MixtureJob, parts: list[Part], cells: int) -> NDArray[np.int64]:
    """Return the counts of the cells of all parts, shape (cells, COUNTS), from the footers."""
    total = np.zeros((cells, len(COUNTS)), np.int64)
    for part in parts:
        place = place_of(job.output, part)
        try:
            with open_binary(place) as raw:
                note: dict[str, Any] = json.loads(open_parquet(raw).metadata.metadata[NOTE])
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
            raise InputError("these references are missing or damaged", where=place, fix="Mix again") from error
        if note["of"] != job.key:
            raise InputError("these references are of another mixture", where=place, fix="Name another output")
        for cell, counts in note["counts"].items():
            total[int(cell)] += counts
    return total


def read_references(output: str, parts: list[Part], columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield the references of each part, in the order of the corpus."""
    for part in parts:
        yield read_parquet(place_of(output, part), columns).to_pandas()
