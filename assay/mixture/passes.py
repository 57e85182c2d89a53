"""The passes over the parts of the scores. A process does some parts of a pass, and one process joins what they found.

| pass | finds | in memory |
|---|---|---|
| count | documents and tokens of each topic in 2^16 steps of quality, from which bins and recipe follow | the counts |
| tally | tokens of each unit in bins of the key, from which the bin of each cut follows | the counts |
| settle | the documents in the bins of the cuts, from which the cuts follow | one document in 4,096 |
| write | the references of each part | one part |

Scores by one rubric without topics are counted in the footers of their parts already: then the first pass reads no row.
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.mixture.bins import QualityBins, make_bins
from assay.mixture.cells import Recipe
from assay.mixture.draw import cells_of, first_cuts, key_bins, keys_of, last_cuts, repeats_of
from assay.mixture.reading import Reader
from assay.mixture.recipe import solve
from assay.mixture.references import write_references
from assay.mixture.state import MixtureJob, MixtureState
from assay.progress import counter
from assay.scoring import Bins, Part, TokenHistogram
from assay.storage import open_parquet, parquet_bytes

MOST_TOPICS = 256
"""Values of the topic. Each has up to 2^16 counts in memory."""
MERGED = 32
"""Histograms of parts that are held before they are merged."""
NEAR = pa.schema({"unit": pa.int64(), "key": pa.float64(), "id": pa.string(), "row": pa.int64(), "tokens": pa.int64()})


def scan(job: MixtureJob, state: MixtureState, parts: Sequence[Part]) -> bytes:
    """Do the next pass over some parts, and return what was found, for `advance`."""
    reader = Reader(job, state)
    doing = {"count": _count, "tally": _tally, "settle": _settle, "write": _write}[state.next]
    with counter(total=sum(part.stop - part.start for part in parts), unit=" documents", what=state.next) as bar:

        def shown(part: Part) -> Part:
            bar.update(part.stop - part.start)
            return part

        return doing(reader, (shown(part) for part in parts))


def advance(job: MixtureJob, state: MixtureState, found: Sequence[bytes]) -> MixtureState:
    """Join what the processes of a pass have found, in any order, and return the state before the next pass."""
    if state.next == "count":
        histograms = [TokenHistogram.from_json(json.loads(each)) for each in found if each]
        return counted(job, state, TokenHistogram.merge(histograms))
    recipe = state.recipe
    assert recipe is not None
    if state.next == "tally":
        total = np.zeros((len(recipe.units), key_bins(job.request)), np.int64)
        for each in found:
            if each:
                total += np.load(io.BytesIO(each), allow_pickle=False)
        return replace(state, next="settle", bin_cuts=first_cuts(total, recipe))
    tables = [open_parquet(io.BytesIO(each)).read() for each in found if each]
    near = pa.concat_tables(tables or [NEAR.empty_table()]).to_pandas()
    return replace(state, next="write", cuts=last_cuts(near, state.bin_cuts, recipe))


def counted(job: MixtureJob, state: MixtureState, histogram: TokenHistogram) -> MixtureState:
    """Make bins, or use those that exist, and solve the recipe. Raise InputError as `make_bins` and `solve`."""
    _require_few(histogram)
    bins, moved = state.bins, None
    if bins is None:
        bins = make_bins(histogram, state.scores, state.weights, job.corpus, job.request)
    else:
        moved = bins.moved(histogram)
    return replace(state, next="tally", bins=bins, moved=moved, recipe=solve(bins, histogram, job.request))


def _require_few(histogram: TokenHistogram) -> None:
    if len(histogram.slices) > MOST_TOPICS:
        raise InputError(
            f"the topic has {len(histogram.slices):,} values",
            where="mixture",
            fix=f"At most {MOST_TOPICS} are possible",
        )


def _count(reader: Reader, parts: Iterator[Part]) -> bytes:
    axis, held = Bins(reader.state.low, reader.state.high), []
    for part in parts:
        block = reader.block(part)
        held.append(TokenHistogram.of(axis, block.quality, block.tokens, block.topic.tolist()))
        if len(held) >= MERGED:
            held = [TokenHistogram.merge(held)]
            _require_few(held[0])
    return json.dumps(TokenHistogram.merge(held).to_json()).encode() if held else b""


def _solved(reader: Reader) -> tuple[QualityBins, Recipe]:
    bins, recipe = reader.state.bins, reader.state.recipe
    assert bins is not None
    assert recipe is not None
    return bins, recipe


def _tally(reader: Reader, parts: Iterator[Part]) -> bytes:
    bins, recipe = _solved(reader)
    unit_of, size = np.array(recipe.unit_of, np.int64), key_bins(reader.job.request)
    total = np.zeros(len(recipe.units) * size, np.int64)
    for part in parts:
        block = reader.block(part)
        _, place = keys_of(block, reader.job.request)
        np.add.at(total, unit_of[cells_of(block, bins, recipe)] * size + place, block.tokens)
    buffer = io.BytesIO()
    np.save(buffer, total.reshape(len(recipe.units), size), allow_pickle=False)
    return buffer.getvalue()


def _settle(reader: Reader, parts: Iterator[Part]) -> bytes:
    bins, recipe = _solved(reader)
    unit_of = np.array(recipe.unit_of, np.int64)
    cut = np.array([at for at, _ in reader.state.bin_cuts], np.int64)
    tables = []
    for part in parts:
        block = reader.block(part)
        key, place = keys_of(block, reader.job.request)
        unit = unit_of[cells_of(block, bins, recipe)]
        near = place == cut[unit]
        columns = {"unit": unit, "key": key, "id": block.id, "row": block.row, "tokens": block.tokens}
        frame = pd.DataFrame({name: values[near] for name, values in columns.items()})
        tables.append(pa.Table.from_pandas(frame, schema=NEAR, preserve_index=False))
    return parquet_bytes(pa.concat_tables(tables)) if tables else b""


def _write(reader: Reader, parts: Iterator[Part]) -> bytes:
    bins, recipe = _solved(reader)
    for part in parts:
        block = reader.block(part)
        cells = cells_of(block, bins, recipe)
        repeats = repeats_of(block, cells, recipe, reader.state.cuts, reader.job.request)
        write_references(reader.job, part, block, recipe, cells, repeats)
    return b""
