"""The parts of a split as tables, and the record of them that travels with a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.dedup import text_digest
from assay.errors import InputError
from assay.labels.together import SplitSet

SEEN = "seen.parquet"
HELD_OUT = "held_out.parquet"


def part_of(documents: pd.DataFrame, assignment: pd.DataFrame, part: str) -> pd.DataFrame:
    """The labelled documents of one part, with their `cluster`, in the order of the source."""
    chosen = assignment.loc[assignment["part"] == part, ["id", "cluster"]]
    return documents.merge(chosen, on="id", how="inner", validate="one_to_one").sort_values("row", ignore_index=True)


def learned_before(encoder: str) -> dict[str, str]:
    """What `read_seen` says of an encoder that is a model folder of Assay; empty for all others."""
    return read_seen(Path(encoder)) if (Path(encoder) / SEEN).is_file() else {}


def write_seen(folder: Path, *sets: SplitSet, before: Mapping[str, str] | None = None) -> None:
    """Write which texts fitted a model (digests, never texts) by any rubric, into a model folder being staged.

    `before`: those that fitted the model it goes on from, as `learned_before` says.
    """
    earlier = dict(before or {})
    tables = [pd.DataFrame({"digest": list(earlier), "part": list(earlier.values())}, dtype="str")]
    for each in sets:
        fitted = each.documents.merge(each.assignment[["id", "part"]], on="id")
        fitted = fitted[fitted["part"].isin(["train", "calibration"])]
        digests = [text_digest(text) for text in each.snapshot.take(fitted["row"])]
        tables.append(pd.DataFrame({"digest": digests, "part": fitted["part"].to_numpy()}))
    table = pd.concat(tables).drop_duplicates("digest").sort_values("digest", ignore_index=True)
    table.to_parquet(folder / SEEN, index=False)


def write_held_out(folder: Path, ids: Sequence[str] | pd.Series, scores: NDArray[np.float64]) -> None:
    """Write the scores that cross-fitting gave to documents, into a model folder being staged."""
    pd.DataFrame({"id": list(ids), "score": scores}).to_parquet(folder / HELD_OUT, index=False)


def read_held_out(folder: Path) -> dict[str, float]:
    """Document -> its score by a model that has not learned from its fold; empty where nothing was cross-fitted."""
    if not (folder / HELD_OUT).is_file():
        return {}
    table = pd.read_parquet(folder / HELD_OUT)
    return dict(zip(table["id"], table["score"], strict=True))


def read_seen(folder: Path) -> dict[str, str]:
    """Digest of a text -> part, for the documents that fitted the model in this folder."""
    try:
        table = pd.read_parquet(folder / SEEN, columns=["digest", "part"])
    except FileNotFoundError as error:
        raise InputError(
            f"{SEEN} is missing: what this model was trained on is not known",
            where=str(folder),
            fix="Get the model again",
        ) from error
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{SEEN} cannot be read: {error}", where=str(folder), fix="Get the model again") from error
    return dict(zip(table["digest"], table["part"], strict=True))
