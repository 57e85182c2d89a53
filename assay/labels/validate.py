"""Validate the rows of a source: valid rows become labelled documents, the others are kept with their reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.errors import SchemaErrors
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.dedup import text_digest
from assay.errors import InputError
from assay.labels.judges import level_judges
from assay.labels.schema import LabelledDocument, Quarantined
from assay.progress import say
from assay.rubric import Rubric
from assay.storage import Snapshot

LONGEST = 1_000_000
"""Most characters of a text. Scoring refuses longer texts too (`assay.inference.Limits`), so that no model is trained
or measured on texts that never get a score."""
MOST_QUARANTINED = 0.05
"""Share of rows that may fail where a command has no option for it."""


@dataclass(frozen=True)
class Validation:
    """Result of the validation of a snapshot."""

    documents: pd.DataFrame
    """Table LabelledDocument, in the order of the source."""
    quarantine: pd.DataFrame
    """Table Quarantined, in the order of the source."""
    rows: int
    """Rows of the source."""
    merged: int
    """Rows with the text of an earlier row. Their document has the median label and the mean weight."""
    disagreeing: int
    """Documents whose merged rows had different labels."""


def _row_schema(rubric: Rubric) -> pa.DataFrameSchema:
    """Return the schema of a row. The name of a check is the reason that reports show."""
    scale = f"{rubric.low} to {rubric.high}"
    return pa.DataFrameSchema(
        {
            "id": pa.Column(
                str, pa.Check(lambda ids: ids.notna() & (ids != ""), name="no id", ignore_na=False), nullable=True
            ),
            "text": pa.Column(
                str,
                [
                    pa.Check(lambda texts: texts.notna() & (texts.str.strip() != ""), name="no text", ignore_na=False),
                    pa.Check(
                        lambda texts: ~texts.str.contains("\x00", regex=False, na=False),
                        name="NUL in the text",
                    ),
                    pa.Check(
                        lambda texts: texts.isna() | (texts.str.len() <= LONGEST),
                        name=f"text longer than {LONGEST:,} characters",
                    ),
                ],
                nullable=True,
            ),
            "label": pa.Column(
                float,
                [
                    pa.Check(lambda labels: np.isfinite(labels), name="no label that is a number", ignore_na=False),
                    pa.Check(
                        lambda labels: ~np.isfinite(labels) | labels.between(rubric.low, rubric.high),
                        name=f"label outside the scale {scale}",
                    ),
                ],
                nullable=True,
            ),
            "judge": pa.Column(
                str,
                pa.Check(lambda names: names.notna() & (names != ""), name="no judge", ignore_na=False),
                nullable=True,
                required=False,
            ),
            "label_weight": pa.Column(
                float,
                pa.Check(
                    lambda weights: np.isfinite(weights) & (weights > 0), name="no weight above 0", ignore_na=False
                ),
                nullable=True,
                required=False,
            ),
        }
    )


def _failures(rows: pd.DataFrame, rubric: Rubric) -> pd.DataFrame:
    """Return `row`, the first `reason` against it, and the `column`, for rows that fail a check."""
    try:
        _row_schema(rubric).validate(rows, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        broken = cases[cases["index"].isna()]  # a check of the whole table, such as a missing column
        if len(broken):
            raise InputError(f"the table cannot be checked: {broken.iloc[0]['check']}") from errors
        first = cases.drop_duplicates("index").astype({"index": int}).sort_values("index")
        return pd.DataFrame({"row": first["index"], "reason": first["check"], "column": first["column"]})
    return pd.DataFrame({"row": [], "reason": [], "column": []}).astype({"row": int})


def _quarantine(
    rows: pd.DataFrame, numbers: Sequence[int], reasons: Sequence[str], columns: Sequence[str]
) -> pd.DataFrame:
    """Return a table Quarantined of rows by their numbers. `columns`: column with the fault, for each row."""
    values = [_shown(rows, number, column) for number, column in zip(numbers, columns, strict=True)]
    return pd.DataFrame(
        {
            "row": list(numbers),
            "id": rows["id"].iloc[list(numbers)].to_list(),
            "reason": list(reasons),
            "value": values,
        }
    )


def _shown(rows: pd.DataFrame, number: int, column: str) -> str:
    """Return a value as the source has it, at most 80 characters; empty if it is missing."""
    value = rows[column].iloc[number]
    if column == "label" and "label_text" in rows and isinstance(text := rows["label_text"].iloc[number], str):
        value = text
    return "" if value is None or value != value else str(value)[:80]


def validate(snapshot: Snapshot, rubric: Rubric, *, max_quarantined: float | None = None) -> Validation:
    """Check every row, quarantine those that fail, and merge rows with the same text into one document.

    Labels by several judges are brought to the level of one of them before (`level_judges`).

    A row fails for a missing id or text, a NUL, a text longer than LONGEST, a label that is not finite or is outside
    the scale of the rubric, no judge, a weight that is not above 0, or an id that an earlier row with another text has.
    Raise InputError if the label column is missing, if more than `max_quarantined` (a share, 0 to 1; without it,
    MOST_QUARANTINED) of the rows fail, if all labels are equal, or as `level_judges` does.
    """
    if max_quarantined is not None and not 0 <= max_quarantined <= 1:
        raise InputError(f"max_quarantined is {max_quarantined:g}", fix="Give a share of the rows, 0 to 1")
    names = list(snapshot.manifest.schema)
    if "label" not in names:
        raise InputError("no label column", where=snapshot.url, fix="Name it with --label_column")
    wanted: list[str] = [
        name
        for name in ("id", "text", "label", "label_text", "label_weight", "group", "judge", "by_reference")
        if name in names
    ]
    rows = pd.concat([batch.to_pandas() for batch in snapshot.batches(wanted)], ignore_index=True)
    rows = rows.astype({"id": "str", "text": "str", "label": float})
    if "label_weight" in rows:
        rows = rows.astype({"label_weight": float})
    failed = _failures(rows, rubric)
    quarantine = _quarantine(rows, failed["row"].tolist(), failed["reason"].tolist(), failed["column"].tolist())

    good = rows.drop(index=failed["row"]).copy()
    # Of the normalised text, so that copies that differ in white space or case of letters are merged.
    good["digest"] = [text_digest(text) for text in good["text"]]
    if "group" in good:
        good["group"] = _joined_groups(good["digest"], good["group"])
    if "judge" in good and len(good):
        good["label"] = _on_one_level(good, rubric, snapshot)
    merged = good.groupby("digest", sort=False)
    documents = pd.DataFrame(
        {
            "id": merged["id"].first(),
            "row": merged.apply(lambda part: part.index[0], include_groups=False) if len(good) else [],
            "label": merged["label"].median(),
            "weight": merged["label_weight"].mean() if "label_weight" in good else 1.0,
            "group": merged["group"].first() if "group" in good else None,
            "copies": merged.size(),
        }
    ).reset_index(drop=True)
    documents["group"] = (
        documents["group"].astype("str") if "group" in good else pd.Series([None] * len(documents), dtype="str")
    )

    # After merging: rows with the same id and the same text are copies, not a fault.
    twice = documents["id"].duplicated()
    if twice.any():
        again = documents.loc[twice, "row"].tolist()
        reasons = ["id of another text"] * len(again)
        quarantine = pd.concat([quarantine, _quarantine(rows, again, reasons, ["id"] * len(again))], ignore_index=True)
        documents = documents[~twice].reset_index(drop=True)

    _refuse_if_too_many(quarantine, len(rows), max_quarantined, snapshot)
    if documents["label"].nunique() < 2:
        raise InputError(
            f"all {len(documents)} labels are {documents['label'].iloc[0]:g}",
            where=snapshot.sources,
            fix="Give documents of at least two different labels",
        )
    return Validation(
        documents=LabelledDocument.validate(documents),
        quarantine=Quarantined.validate(quarantine.sort_values("row").reset_index(drop=True)),
        rows=len(rows),
        merged=len(good) - merged.ngroups,
        disagreeing=int((merged["label"].nunique() > 1).sum()),
    )


def _on_one_level(rows: pd.DataFrame, rubric: Rubric, snapshot: Snapshot) -> NDArray[np.float64]:
    """Return the labels on the level of the reference judge, within the scale, and print the level of each judge."""
    reference = ""
    if "by_reference" in rows:
        by_it = rows.loc[rows["by_reference"].fillna(False).astype(bool), "judge"]
        if by_it.empty:
            judges = ", ".join(sorted(rows["judge"].unique())[:10])
            raise InputError("no label by the reference judge", where=snapshot.sources, fix=f"Name one of: {judges}")
        reference = by_it.iloc[0]
    labels, levels = level_judges(rows["text"].tolist(), rows["label"].to_numpy(), rows["judge"].tolist(), reference)
    for level in levels:
        say(f"level of {level.in_words()}")
    return np.clip(labels, rubric.low, rubric.high)


def _joined_groups(digests: pd.Series, groups: pd.Series) -> pd.Series:
    """Return the group of each row. Groups that share a text are joined, with the first of their names.

    Otherwise a text in two groups would follow one of them, and leak into the part of the other.
    """
    known = groups.notna() & (groups != "")
    names = pd.unique(groups[known])
    code = pd.Series(pd.Categorical(groups[known], categories=names).codes, index=groups.index[known])
    first = code.groupby(digests[known]).transform("first")
    n = len(names)
    links = coo_array((np.ones(len(code)), (code.to_numpy(), first.to_numpy())), shape=(n, n))
    component = connected_components(links, directed=False)[1]
    representative = pd.Series(names).groupby(component).first()
    joined = groups.copy()
    joined[known] = representative.to_numpy()[component[code.to_numpy()]]
    return joined


def _refuse_if_too_many(quarantine: pd.DataFrame, rows: int, given: float | None, snapshot: Snapshot) -> None:
    """Raise InputError if more than a share of the rows is quarantined; MOST_QUARANTINED if none is given."""
    limit = MOST_QUARANTINED if given is None else given
    if len(quarantine) <= limit * rows:
        return
    counts = ", ".join(f"{count} × {reason}" for reason, count in quarantine["reason"].value_counts().items())
    first = quarantine.iloc[0]
    value = repr(first["value"]) if first["value"] else "a missing value"
    raise InputError(
        f"{len(quarantine)} of {rows} rows cannot be used ({counts}), more than the {limit:.0%} allowed",
        where=f"{snapshot.sources}, first at row {first['row']}: {first['reason']}, {value}",
        # Only training has the option.
        fix="Correct them, or choose another label column or rubric"
        if given is None
        else "Correct them, choose another label column or rubric, or raise max_quarantined",
    )
