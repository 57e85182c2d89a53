"""How far the answers agree, for the report."""

from collections.abc import Sequence

import pandas as pd

from assay.errors import InputError
from assay.metrics import measure_raters
from assay.report import Block, Callout, Prose, Table


def agreement_blocks(answers: pd.DataFrame) -> Sequence[Block]:
    """Return the section of the report on agreement, from the table of answers.

    Each repeat of a judge counts as a rater.
    """
    several = answers.groupby("judge")["repeat"].nunique() > 1
    rater = answers["judge"].where(
        ~answers["judge"].map(several), answers["judge"] + " #" + answers["repeat"].astype(str)
    )
    ratings = answers.assign(rater=rater).pivot(index="id", columns="rater", values="grade")
    try:
        raters = measure_raters(ratings)
    except InputError as error:
        return [Callout(f"Agreement is not measured: {error}", "note")]
    rows = [
        {
            "judges": f"{pair.one}, {pair.other}",
            "documents": pair.documents,
            "QWK": pair.qwk.in_words(),
            "Spearman": pair.spearman.in_words(),
        }
        for pair in raters.pairs
    ]
    return [*(Prose(sentence) for sentence in raters.sentences()), Table(pd.DataFrame(rows), "95 % intervals.")]
