"""Scores that a corpus already carries: a column of numbers becomes sidecars, without a model."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference import TokenCounter, token_counter
from assay.progress import counter, say, stage
from assay.scoring.histogram import Bins
from assay.scoring.plan import Part, PartFolder, Plan, ScoringConfig
from assay.scoring.scores import Scores
from assay.scoring.sidecar import PartFile, Sidecar
from assay.sources import Columns, Period, open_corpus
from assay.storage import Snapshot, digest_json

NO_VALUE = "no value"
"""Reason of a document whose column is empty or is no finite number."""


def column_digest(column: str) -> str:
    """Return what stands for the model's digest in the plan of scores from a column."""
    return digest_json({"column": column})


def score_from_column(
    source: str,
    column: str,
    columns: Columns,
    root: str,
    config: ScoringConfig,
    *,
    token_column: str = "",
    period: Period | None = None,
) -> Scores:
    """Write the numbers of a column of a corpus as scores below `root`. Parts that exist are not written again.

    `token_column`: column with the tokens of each document. Without it they are counted by the tokenizer of `config`.
    Scores of a column have no p_keep and no grade, and every document is in scope. Raise InputError if a column is
    missing or is not numeric.
    """
    snapshot = open_corpus(source, columns, root, period)
    for name in (column, *([token_column] if token_column else [])):
        _require_numbers(snapshot, name)
    with stage("Score"):
        counted = token_counter(config.tokenizer)
        name = f"column {token_column}" if token_column else counted.name
        bins = _range(snapshot, column)
        plan = Plan(snapshot.manifest.version, snapshot.manifest.rows, column_digest(column), name, bins, config)
        if config.slice_by and config.slice_by not in snapshot.manifest.schema:
            raise InputError(f"no column {config.slice_by!r} to slice by", where=snapshot.url)
        folder = PartFolder.create(root, plan)
        missing = folder.missing()
        if existing := len(plan.parts()) - len(missing):
            say(f"{existing} of {len(plan.parts())} parts exist already")
        with counter(total=sum(part.stop - part.start for part in missing), unit=" documents", what="reading") as bar:
            for part in missing:
                PartFile(folder, part).write(_sidecar(snapshot, part, column, token_column, config, counted))
                bar.update(part.stop - part.start)
        return Scores.complete(folder)


def _require_numbers(snapshot: Snapshot, name: str) -> None:
    kind = snapshot.manifest.schema.get(name)
    if kind is None:
        raise InputError(
            f"no column {name!r}", where=snapshot.url, fix=f"Name one of: {', '.join(snapshot.manifest.schema)}"
        )
    if not kind.startswith(("int", "uint", "float", "double", "halffloat", "decimal", "bool")):
        raise InputError(f"the column {name!r} is {kind}, not a number", where=snapshot.url, fix="Name another column")


def _numbers(array: pa.Array) -> NDArray[np.float64]:
    """Return a column as floats, shape (n,). Nulls and infinite values become NaN."""
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    values = pc.fill_null(array.cast(pa.float64(), safe=False), math.nan).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(values), values, math.nan)


def _range(snapshot: Snapshot, column: str) -> Bins:
    """Return bins between the least and the greatest number of a column. Raise InputError if it has none."""
    low, high = math.inf, -math.inf
    for batch in snapshot.batches([column]):
        values = _numbers(batch[0])
        if not np.isnan(values).all():
            low, high = min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values)))
    if low > high:
        raise InputError(f"the column {column!r} has no number", where=snapshot.url, fix="Name another column")
    return Bins(low, high if high > low else low + 1)


def _sidecar(
    snapshot: Snapshot, part: Part, column: str, token_column: str, config: ScoringConfig, counted: TokenCounter
) -> pd.DataFrame:
    tables = list(_tables(snapshot, part, column, token_column, config, counted))
    return Sidecar.validate(pd.concat(tables, ignore_index=True)[list(Sidecar.to_schema().columns)])


def _tables(
    snapshot: Snapshot, part: Part, column: str, token_column: str, config: ScoringConfig, counted: TokenCounter
) -> Iterator[pd.DataFrame]:
    named = [column, token_column or "text", *([config.slice_by] if config.slice_by else [])]
    for _, batch in snapshot.rows(part.start, part.stop, list(dict.fromkeys(["id", *named]))):
        values = _numbers(batch[column])
        able = ~np.isnan(values)
        if token_column:
            tokens = np.nan_to_num(_numbers(batch[token_column])).astype(np.int64)
        else:
            tokens = counted.count([text or "" for text in batch["text"].to_pylist()])
        tokens = np.where(able, tokens, 0)
        slices = [str(value) for value in batch[config.slice_by].to_pylist()] if config.slice_by else ""
        yield pd.DataFrame(
            {
                "id": [str(value or "") for value in batch["id"].to_pylist()],
                "score": values,
                "calibrated": np.nan,
                "p_keep": np.nan,
                "grade": pd.array([None] * len(values), dtype="Int64"),
                "keep": pd.array([None] * len(values), dtype="boolean"),
                "tokens": tokens,
                "read": np.where(able, 1.0, 0.0),
                "language": "",
                "in_scope": True,
                "reason": [None if good else NO_VALUE for good in able.tolist()],
                "budget_tokens": tokens,
                "slice": slices,
            }
        )
