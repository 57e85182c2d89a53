"""The parts of a split as tables, and the record of them that travels with a model."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.dedup import text_digest
from assay.errors import InputError
from assay.labels.together import SplitSet

SEEN = "seen.parquet"


def part_of(documents: pd.DataFrame, assignment: pd.DataFrame, part: str) -> pd.DataFrame:
    """The labelled documents of one part, with their `cluster`, in the order of the source."""
    chosen = assignment.loc[assignment["part"] == part, ["id", "cluster"]]
    return documents.merge(chosen, on="id", how="inner", validate="one_to_one").sort_values("row", ignore_index=True)


def write_seen(folder: Path, *sets: SplitSet) -> None:
    """Write which texts fitted a model (digests, never texts) by any rubric, into a model folder being staged."""
    tables = []
    for each in sets:
        fitted = each.documents.merge(each.assignment[["id", "part"]], on="id")
        fitted = fitted[fitted["part"].isin(["train", "calibration"])]
        digests = [text_digest(text) for text in each.snapshot.take(fitted["row"])]
        tables.append(pd.DataFrame({"digest": digests, "part": fitted["part"].to_numpy()}))
    table = pd.concat(tables).drop_duplicates("digest").sort_values("digest", ignore_index=True)
    table.to_parquet(folder / SEEN, index=False)


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
