"""How far the answers are to be trusted, for reports: the noise of each judge, and how far the answers agree."""

import pandas as pd

from assay.annotation.agreement import agreement_blocks, measure_agreement
from assay.annotation.raters import combine_answers
from assay.errors import InputError
from assay.report import Callout, Section, Table


def trust_sections(answers: pd.DataFrame, low: int, high: int) -> list[Section]:
    """Return the sections on judges and on agreement. Raise InputError as `combine_answers` does."""
    found = combine_answers(answers, low, high)
    rows = [
        {
            "judge": judge.judge,
            "answers": judge.answers,
            "off the labels": f"{judge.bias:+.2f}",
            "noise": f"{judge.noise:.2f}",
            "reliability of an answer": f"{judge.reliability:.2f}",
            "share in the labels": f"{judge.share:.2f}",
        }
        for judge in found.judges
    ]
    told = Table(pd.DataFrame(rows), "In grades: how far a judge is off the labels, and how far its answers vary.")
    if found.assumed:
        note = (
            "No document has two answers. What a judge's noise is, is therefore assumed, and each label is an answer."
        )
        return [Section("Judges", [told, Callout(note, "warn")])]
    try:
        agreement = agreement_blocks(measure_agreement(answers, low, high))
    except InputError as error:
        agreement = [Callout(f"Agreement is not measured: {error}", "note")]
    return [Section("Judges", [told]), Section("Agreement", agreement)]
