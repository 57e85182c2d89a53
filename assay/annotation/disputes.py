"""Documents on which judges differ: to another judge while the budget lasts, or to people as a file to fill."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from assay.annotation.raters import combine, require_answers
from assay.dedup import text_digest
from assay.errors import InputError
from assay.storage import staged_file

LONGEST = 20_000
"""Characters of a text in the file to fill: cells of a spreadsheet hold 32,767."""
MARK = 12
"""Digits of the digest by which a row is recognised."""
FORMULA = ("=", "+", "-", "@")
"""A cell that begins so is a formula to a spreadsheet, which would run what a web page wrote."""


def disputed(answers: pd.DataFrame, low: int, high: int) -> pd.DataFrame:
    """Return `id`, `spread`, `uncertainty` and `answers`, the documents on which judges differ most first.

    `spread`: highest minus lowest mean answer of a judge, in grades; of a document that one judge answered, highest
    minus lowest answer. `answers`: the judges with their answers, for people. Documents with one answer are left out.
    Raise InputError as `combine_answers` does.
    """
    known = require_answers(answers, low, high).sort_values(["judge", "repeat"])
    by_judge = known.groupby(["id", "judge"])["grade"].agg(["mean", "min", "max", "size"]).reset_index()
    found = by_judge.groupby("id").agg(
        judges=("judge", "size"),
        top=("mean", "max"),
        bottom=("mean", "min"),
        high=("max", "max"),
        low=("min", "min"),
        count=("size", "sum"),
    )
    several = found["judges"] > 1
    found["spread"] = np.where(several, found["top"] - found["bottom"], found["high"] - found["low"])
    said = known.assign(said=known["judge"] + " " + known["grade"].map("{:g}".format))
    found["answers"] = said.groupby("id")["said"].agg(", ".join)
    found["uncertainty"] = combine(answers, low, high).set_index("id")["uncertainty"]
    found = found[found["count"] > 1].reset_index()
    found = found.sort_values(["spread", "uncertainty", "id"], ascending=[False, False, True], ignore_index=True)
    return found[["id", "spread", "uncertainty", "answers"]]


def next_judge(
    answers: pd.DataFrame, low: int, high: int, judges: Sequence[str], *, budget: int, least: float = 1.0
) -> pd.DataFrame:
    """Return `id` and `judge` of at most `budget` further answers, for documents with a spread of `least` or more.

    The most disputed documents come first. Each goes to the first of `judges` that has not been asked about it, also
    without a valid answer; one that all were asked about is left to people.
    """
    found = disputed(answers, low, high)
    asked = set(zip(answers["id"].astype(str), answers["judge"].astype(str), strict=True))
    rows = []
    for name in found.loc[found["spread"] >= least, "id"]:
        judge = next((judge for judge in judges if (name, judge) not in asked), None)
        if judge is not None:
            rows.append((name, judge))
    return pd.DataFrame(rows[: max(budget, 0)], columns=["id", "judge"])


def write_to_people(texts: Mapping[str, str], ids: Sequence[str], path: Path, *, seed: int = 0) -> None:
    """Write a CSV with `id`, `label` to fill, `mark` and `text` of some documents, in random order.

    It does not show the answers of the judges, so that people are not led. `texts`: id -> text. `mark` belongs to id
    and text: a spreadsheet that sorts one column alone is noticed.
    """
    order = np.random.default_rng([seed, len(ids)]).permutation(sorted(ids))
    rows = [
        {"id": name, "label": "", "mark": _mark(name, _cell(texts[name])), "text": _cell(texts[name])} for name in order
    ]
    with staged_file(path) as partial:
        pd.DataFrame(rows, columns=["id", "label", "mark", "text"]).to_csv(partial, index=False)


def read_from_people(path: Path, low: int, high: int, *, judge: str = "people") -> pd.DataFrame:
    """Return the filled rows as answers: `id`, `judge`, `repeat`, `grade`. Empty labels are left out.

    Raise InputError for a file that cannot be read, a label that is no number on the scale, an id that occurs twice, a
    row whose text is not that of its id, and if nothing is filled in.
    """
    where = str(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"it cannot be read: {error}", where=where, fix="Save it as CSV in UTF-8") from error
    missing = [name for name in ("id", "label", "mark", "text") if name not in table]
    if missing:
        raise InputError(f"no column {missing[0]!r}", where=where, fix="Fill in the file that `assay dispute` wrote")
    twice = table["id"].duplicated()
    if twice.any():
        raise InputError(f"the id {table.loc[twice, 'id'].iloc[0]!r} occurs twice", where=where, fix="Keep one row")
    filled = table[table["label"].str.strip() != ""]
    for row in filled.itertuples():
        line = f"{where}, id {row.id!r}"
        if row.mark != _mark(str(row.id), str(row.text)):
            raise InputError(
                "the text is not the one that was written with this id",
                where=line,
                fix="Sort whole rows, and leave texts as they are",
            )
        try:
            grade = float(str(row.label).replace(",", "."))
        except ValueError as error:
            raise InputError(f"{row.label!r} is no number", where=line, fix="Give a grade, or nothing") from error
        if not low <= grade <= high:
            raise InputError(f"{row.label} is outside {low} to {high}", where=line, fix="Give a grade of the rubric")
    if filled.empty:
        raise InputError("no label is filled in", where=where, fix="Fill the column label")
    grades = filled["label"].str.replace(",", ".").astype(float)
    found = pd.DataFrame({"id": filled["id"], "judge": judge, "repeat": 0, "grade": grades})
    return found.reset_index(drop=True)


def _cell(text: str) -> str:
    cut = text[:LONGEST]
    return f" {cut}" if cut.startswith(FORMULA) else cut


def _mark(name: str, text: str) -> str:
    # Of the normalised text: spreadsheets change ends of lines.
    return text_digest(f"{name}\n{text}")[:MARK]
