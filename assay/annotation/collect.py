"""All answers about the documents of a survey, from the store and from columns of the source, as one table."""

import numpy as np
import pandas as pd

from assay.annotation.ask import Job, Question
from assay.metrics import read_ratings

NO_ANSWER = "not asked"
NO_RATING = "no value in the column"
COLUMNS = ["id", "judge", "repeat", "grade", "reason", "error", "cost", "span", "served", "tokens_in", "tokens_out"]


def collect(job: Job, table: pd.DataFrame, failed: dict[Question, str]) -> pd.DataFrame:
    """Return one row for each document, judge and repeat, with the columns COLUMNS.

    `grade` is nan without a valid answer, and `error` is then the reason. A document is in the table once, also if the
    source has several copies of it. Documents that are not judged are left out.
    """
    judged = table[table["unjudged"] == ""].drop_duplicates("id")
    parts = [pd.DataFrame({name: [] for name in COLUMNS})]
    stores, wanted = job.stores(), job.wanted(table)
    for judge in job.request.models:
        store = stores[judge.name]
        answers = store.read(wanted & store.keys())
        for repeat in range(job.request.repeats):
            found = [answers.get((span, repeat)) for span in judged["span"]]
            parts.append(
                pd.DataFrame(
                    {
                        "id": judged["id"].to_numpy(),
                        "judge": judge.name,
                        "repeat": repeat,
                        "grade": [np.nan if a is None or a.score is None else float(a.score) for a in found],
                        "reason": [a.reason if a else "" for a in found],
                        "error": [
                            a.error if a else failed.get((judge.name, span, repeat), NO_ANSWER)
                            for a, span in zip(found, judged["span"], strict=True)
                        ],
                        "cost": [a.cost if a else 0.0 for a in found],
                        "span": judged["span"].to_numpy(),
                        "served": [a.served if a else "" for a in found],
                        "tokens_in": [a.tokens_in if a else 0 for a in found],
                        "tokens_out": [a.tokens_out if a else 0 for a in found],
                    }
                )
            )
    columns = [judge for judge in job.request.judges if judge.column]
    if columns and len(judged):
        rubric = job.request.prompt().rubric
        grades = read_ratings(job.snapshot, judged["row"].tolist(), [judge.column for judge in columns], rubric)
        for judge in columns:
            grade = grades[judge.column].to_numpy(float)
            parts.append(
                pd.DataFrame(
                    {
                        "id": judged["id"].to_numpy(),
                        "judge": judge.name,
                        "repeat": 0,
                        "grade": grade,
                        "reason": "",
                        "error": np.where(np.isnan(grade), NO_RATING, ""),
                        "cost": 0.0,
                        "span": judged["span"].to_numpy(),
                        "served": "",
                        "tokens_in": 0,
                        "tokens_out": 0,
                    }
                )
            )
    filled = [part for part in parts[1:] if len(part)] or parts
    kinds = {"id": "str", "judge": "str", "repeat": int, "grade": float, "cost": float}
    return pd.concat(filled, ignore_index=True).astype(kinds)
