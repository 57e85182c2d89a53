"""The verdicts of the gates as sections of a report."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from assay.gates.verdict import Verdict
from assay.report import Block, Callout, Facts, Section, Table

TITLES = {
    "shortcuts": "Does the surface carry the score?",
    "counterfactuals": "Can it be fooled?",
    "leak": "Did test documents leak?",
}

LONGEST_FACT = 60
"""Largest number of characters of a fact; a longer value, such as a list of keywords, is shown in a table."""

LEVELS: dict[bool | None, Literal["good", "bad", "warn"]] = {True: "good", False: "bad", None: "warn"}


def gate_sections(verdicts: Sequence[Verdict]) -> list[Section]:
    """Return a section for each gate: first the verdict, then the measurements."""
    return [Section(TITLES.get(verdict.name, verdict.name), _blocks(verdict)) for verdict in verdicts]


def _blocks(verdict: Verdict) -> list[Block]:
    blocks: list[Block] = [Callout(verdict.sentence(), LEVELS[verdict.passed])]
    facts: Mapping[str, str] = {
        name: f"{value:,}" if isinstance(value, int) else str(value)
        for name, value in verdict.figures.items()
        if isinstance(value, int | float | str)
    }
    short = {name: value for name, value in facts.items() if len(value) <= LONGEST_FACT}
    if short:
        blocks.append(Facts(short))
    if rest := [{"": name, " ": value} for name, value in facts.items() if name not in short]:
        blocks.append(Table(pd.DataFrame(rest)))
    tables = [(name, value) for name, value in verdict.figures.items() if isinstance(value, list) and value]
    blocks += [Table(pd.DataFrame(rows), name) for name, rows in tables if isinstance(rows[0], dict)]
    return blocks
