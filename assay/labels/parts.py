"""The parts of a split as tables, and their record in the model folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assay.dedup import text_digest
from assay.errors import InputError
from assay.labels.known import COLUMNS, DocumentMarks, KnownDocuments
from assay.labels.ledger import PARTS, SET_ASIDE
from assay.labels.together import SplitSet
from assay.storage import read_parquet, write_parquet

SEEN = "seen.parquet"
MARKS = "marks.parquet"
SEEN_FILES = (SEEN, MARKS)
"""Files that `write_seen` writes."""
HELD_OUT = "held_out.parquet"
FITTED = ("train", "calibration")
GET_AGAIN = "Get the model again"


def part_of(documents: pd.DataFrame, assignment: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return the labelled documents of one part, with their `cluster`, in the order of the source."""
    chosen = assignment.loc[assignment["part"] == part, ["id", "cluster"]]
    return documents.merge(chosen, on="id", how="inner", validate="one_to_one").sort_values("row", ignore_index=True)


def learned_before(encoder: str) -> dict[str, str]:
    """Return `read_seen` of an encoder that is a model folder of Assay. Empty for other encoders."""
    return read_seen(Path(encoder)) if (Path(encoder) / SEEN).is_file() else {}


def known_before(encoder: str) -> KnownDocuments:
    """Return the marks of the documents that an encoder was fitted to, if it is a model folder of Assay."""
    if not (Path(encoder) / SEEN).is_file():
        return KnownDocuments()
    marks = read_marks(Path(encoder))
    return marks.where(marks.table["id"].isin(list(read_seen(Path(encoder)))))


def write_seen(folder: Path, *sets: SplitSet, encoder: str = "", refitted: bool = False) -> None:
    """Write what a model was made of, by any rubric, into a model folder being staged.

    `seen.parquet` has the digests of the texts that it was fitted to. `marks.parquet` has the marks by which also
    near-duplicates and groups are recognised: of these documents and of those that the split has set aside; of the
    test part it has the digests. `encoder`: the model that training continued from, whose documents count too.
    `refitted`: the model was fitted to the test part, too. Texts themselves are not written.
    """
    earlier, known = learned_before(encoder), known_before(encoder)
    # What measured the earlier model measures none of this one.
    parts = ["train" if part == "test" else part for part in earlier.values()]
    tables = [pd.DataFrame({"digest": list(earlier), "part": parts}, dtype="str")]
    before = DocumentMarks(known.bits, known.table["group"].to_numpy(object))
    marked = [_marked(known.table["id"].tolist(), known.table["part"].replace("test", "train").tolist(), before)]
    fitted = PARTS if refitted else FITTED
    for each in sets:
        table = each.documents.merge(each.assignment[["id", "part"]], on="id")
        texts = each.snapshot.take(table["row"])
        table["digest"] = [text_digest(text) for text in texts]
        tables.append(table.loc[table["part"].isin(fitted), ["digest", "part"]])
        test = (~table["part"].isin([*fitted, SET_ASIDE])).to_numpy()
        marks = DocumentMarks.of(
            [text for text, out in zip(texts, test, strict=True) if not out], table["group"][~test]
        )
        marked.append(_marked(table["digest"][~test].tolist(), table["part"][~test].tolist(), marks))
        marked.append(_marked(table["digest"][test].tolist(), ["test"] * int(test.sum()), None))
    # A text of several sets has one row; the part that it had in the model before comes first and is kept.
    seen = pd.concat(tables).drop_duplicates("digest").sort_values("digest", ignore_index=True)
    write_parquet(pa.Table.from_pandas(seen, preserve_index=False), folder / SEEN)
    every = pa.concat_tables(marked)
    # What was learned from comes first: by its row it is left out, whatever it is in another set.
    rank = pd.Series(every["part"].to_pylist()).map({"train": 0, "calibration": 1, SET_ASIDE: 2, "test": 3})
    order = pd.DataFrame({"digest": every["digest"].to_pylist(), "rank": rank}).sort_values(["digest", "rank"])
    write_parquet(every.take(order.drop_duplicates("digest").index.to_numpy()), folder / MARKS)


def _marked(digests: Sequence[str], parts: Sequence[str], marks: DocumentMarks | None) -> pa.Table:
    """Return rows of `marks.parquet`."""
    columns = marks.columns() if marks else {each.name: pa.nulls(len(digests), each.type) for each in COLUMNS}
    return pa.table({"digest": pa.array(digests, pa.string()), "part": pa.array(parts, pa.string()), **columns})


def read_marks(folder: Path) -> KnownDocuments:
    """Return the marks of what the model in this folder was made of, without its test part; `id` is the digest.

    A model of an earlier release has none, and counts its documents as unmarked, as it does those of the model that its
    training continued from. Raise InputError if a file is damaged, or the record of what it was fitted to is missing.
    """
    seen = read_seen(folder)
    try:
        table = _read_table(folder, MARKS, ["digest", "part", *(each.name for each in COLUMNS)])
    except FileNotFoundError:
        return KnownDocuments(unmarked=len(seen))
    known = KnownDocuments.read(table, "digest", where=str(folder / MARKS))
    return replace(known, unmarked=len(seen.keys() - set(known.table["id"])))


def read_test_digests(folder: Path) -> list[str]:
    """Return the digests of the texts of the test part that measured the model. Empty for earlier releases."""
    try:
        table = _read(folder, MARKS, ["digest", "part"])
    except FileNotFoundError:
        return []
    return table.loc[table["part"] == "test", "digest"].tolist()


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
    return _read_table(folder, name, columns).to_pandas()


def _read_table(folder: Path, name: str, columns: list[str]) -> pa.Table:
    try:
        return read_parquet(str(folder / name), columns)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{name} cannot be read: {error}", where=str(folder), fix=GET_AGAIN) from error
