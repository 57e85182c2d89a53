"""The parts of a split as tables, and their record in the model folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.dedup import text_digest
from assay.errors import InputError
from assay.labels.together import SplitSet
from assay.storage import read_parquet, write_parquet

SEEN = "seen.parquet"
HELD_OUT = "held_out.parquet"
GET_AGAIN = "Get the model again"


def part_of(documents: pd.DataFrame, assignment: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return the labelled documents of one part, with their `cluster`, in the order of the source."""
    chosen = assignment.loc[assignment["part"] == part, ["id", "cluster"]]
    return documents.merge(chosen, on="id", how="inner", validate="one_to_one").sort_values("row", ignore_index=True)


def learned_before(encoder: str) -> dict[str, str]:
    """Return `read_seen` of an encoder that is a model folder of Assay. Empty for other encoders."""
    return read_seen(Path(encoder)) if (Path(encoder) / SEEN).is_file() else {}


def write_seen(folder: Path, *sets: SplitSet, before: Mapping[str, str] | None = None) -> None:
    """Write the digests of the texts that a model was fitted to, by any rubric, into a model folder being staged.

    `before`: those of the model that training continued from, as `learned_before` returns them. Texts themselves are
    not written.
    """
    earlier = dict(before or {})
    tables = [pd.DataFrame({"digest": list(earlier), "part": list(earlier.values())}, dtype="str")]
    for each in sets:
        fitted = each.documents.merge(each.assignment[["id", "part"]], on="id")
        fitted = fitted[fitted["part"].isin(["train", "calibration"])]
        digests = [text_digest(text) for text in each.snapshot.take(fitted["row"])]
        tables.append(pd.DataFrame({"digest": digests, "part": fitted["part"].to_numpy()}))
    # A text of several sets has one row; the part that it had in the model before comes first and is kept.
    table = pd.concat(tables).drop_duplicates("digest").sort_values("digest", ignore_index=True)
    write_parquet(pa.Table.from_pandas(table, preserve_index=False), folder / SEEN)


def write_held_out(folder: Path, ids: Sequence[str] | pd.Series, scores: NDArray[np.float64]) -> None:
    """Write the scores of documents from cross-fitting into a model folder being staged."""
    table = pd.DataFrame({"id": list(ids), "score": scores})
    write_parquet(pa.Table.from_pandas(table, preserve_index=False), folder / HELD_OUT)


def read_held_out(folder: Path) -> dict[str, float]:
    """Return document -> score by the model that was not trained on its fold. Empty if nothing was cross-fitted.

    Raise InputError if the file is damaged.
    """
    if not (folder / HELD_OUT).is_file():
        return {}
    table = _read(folder, HELD_OUT, ["id", "score"])
    return dict(zip(table["id"], table["score"], strict=True))


def read_seen(folder: Path) -> dict[str, str]:
    """Return digest of a text -> part, for the documents that the model in this folder was fitted to.

    Raise InputError if the file is missing or damaged.
    """
    try:
        table = _read(folder, SEEN, ["digest", "part"])
    except FileNotFoundError as error:
        raise InputError(
            f"{SEEN} is missing: the documents that this model was trained on are unknown",
            where=str(folder),
            fix=GET_AGAIN,
        ) from error
    return dict(zip(table["digest"], table["part"], strict=True))


def _read(folder: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """Return columns of a Parquet file of the folder. Raise InputError if the file is damaged."""
    try:
        return read_parquet(str(folder / name), columns).to_pandas()
    except FileNotFoundError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{name} cannot be read: {error}", where=str(folder), fix=GET_AGAIN) from error
