"""Send the most disputed documents of an answers file to people, and take their labels in as answers."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.annotation.disputes import disputed, read_from_people, write_to_people
from assay.annotation.raters import COLUMNS, require_answers
from assay.errors import InputError
from assay.storage import Snapshot, read_parquet, staged_file, write_parquet


def read_answers(path: Path) -> pd.DataFrame:
    """Return the answers of a Parquet or CSV file. Raise InputError if it cannot be read, or lacks a column."""
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype={"id": str, "judge": str})
        else:
            table = read_parquet(str(path), list(COLUMNS)).to_pandas()
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"it cannot be read: {error}", where=str(path), fix=f"Give Parquet or CSV with {', '.join(COLUMNS)}"
        ) from error
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(f"no column {missing[0]!r}", where=str(path), fix=f"Give the columns {', '.join(COLUMNS)}")
    return table


def send_to_people(
    answers: pd.DataFrame, snapshot: Snapshot, low: int, high: int, output: Path, *, documents: int, least: float
) -> pd.DataFrame:
    """Write the most disputed documents as a new CSV to fill, and return them as `disputed` does.

    `least`: smallest spread, in grades. Raise InputError if the output exists, if no document is disputed so far, and
    if the text of one is not in the snapshot.
    """
    if output.exists():
        raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    found = disputed(answers, low, high)
    found = found[found["spread"] >= least].head(documents)
    if found.empty:
        raise InputError(f"no document with a spread of {least:g} grades", where="answers", fix="Lower the spread")
    wanted = set(found["id"])
    texts = {}
    for batch in snapshot.batches(["id", "text"]):
        names = batch["id"].to_pylist()
        if wanted & set(names):
            pairs = zip(names, batch["text"].to_pylist(), strict=True)
            texts.update({name: text for name, text in pairs if name in wanted})
    if missing := sorted(wanted - set(texts)):
        raise InputError(
            f"the text of {len(missing)} documents is missing, such as {missing[0]!r}",
            where=snapshot.sources,
            fix="Name the documents that were judged",
        )
    write_to_people(texts, found["id"].tolist(), output)
    return found


def take_from_people(answers: pd.DataFrame, filled: Path, low: int, high: int, output: Path, *, judge: str) -> int:
    """Write the answers with those of a filled file as a new Parquet file, and return how many were added.

    Labels of the same person that the answers hold already are replaced. Raise InputError as `read_from_people` does,
    if the output exists, and for a document that no judge was asked about.
    """
    if output.exists():
        raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    found = read_from_people(filled, low, high, judge=judge)
    if unknown := sorted(set(found["id"]) - set(answers["id"].astype(str))):
        raise InputError(
            f"no judge was asked about {unknown[0]!r}", where=str(filled), fix="Name the answers that it was made from"
        )
    again = (answers["judge"] == judge) & answers["id"].astype(str).isin(found["id"])
    table = pd.concat([answers.loc[~again, list(COLUMNS)], found], ignore_index=True)
    table = table.astype({"id": str, "judge": str, "repeat": int, "grade": float})
    require_answers(table, low, high)
    with staged_file(output) as partial:
        write_parquet(pa.Table.from_pandas(table, preserve_index=False), partial)
    return len(found)
