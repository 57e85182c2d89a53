"""A rubric: its Markdown, its scale, and the label from which a document is kept."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from assay.errors import InputError
from assay.storage import clear_permission_errors, only_known_fields

DOMAINS = Path(__file__).parent / "domains"
MOST_GRADES = 1_000
"""Grades of a scale at most. A column with more holds ids or times rather than labels."""


@only_known_fields
@dataclass(frozen=True)
class Rubric:
    """A scale of labels from `low` to `high`, and the label from which a document is kept."""

    name: str
    """Short name, as in `--rubric education`."""
    low: int
    """Lowest grade."""
    high: int
    """Highest grade."""
    threshold: float
    """Label from which a document is kept; above `low`, at most `high`."""
    primary_metric: str = "average_precision"
    """Name of the metric by which models are compared."""
    text: str = ""
    """Instructions for judges, as Markdown. Empty if the rubric was derived from labels."""

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise InputError(
                f"the scale {self.low} to {self.high} has no room",
                where=f"rubric {self.name}",
                fix="Give a `high` above `low`",
            )
        if self.high - self.low > MOST_GRADES:
            raise InputError(
                f"the scale {self.low} to {self.high} has more than {MOST_GRADES:,} grades",
                where=f"rubric {self.name}",
                fix="Name the column of the labels, or make them coarser",
            )
        if not self.low < self.threshold <= self.high:
            raise InputError(
                f"threshold {self.threshold:g} is outside the scale {self.low} to {self.high}",
                where=f"rubric {self.name}",
                fix=f"Choose one above {self.low} and at most {self.high}, so that some documents are dropped",
            )

    @property
    def grades(self) -> range:
        """Return the whole numbers of the scale."""
        return range(self.low, self.high + 1)

    @property
    def keep_name(self) -> str:
        """Return the name of the kept class for tables: `label ≥ 3`."""
        return f"label ≥ {self.threshold:g}"


def builtin_rubrics() -> list[str]:
    """Return the names that `load_rubric` accepts in place of a path."""
    return sorted(path.stem for path in DOMAINS.glob("*.md"))


def load_rubric(name_or_path: str, threshold: float | None = None) -> Rubric:
    """Read a rubric: Markdown with a YAML head (`name`, `low`, `high`, `threshold`, `primary_metric`).

    `threshold` replaces that of the file. Raise InputError for an unknown name or a damaged head.
    """
    path = DOMAINS / f"{name_or_path}.md" if name_or_path in builtin_rubrics() else Path(name_or_path)
    if not path.is_file():
        raise InputError(
            f"no rubric {name_or_path!r}",
            fix=f"Name a Markdown file or one of: {', '.join(builtin_rubrics())}",
        )
    try:
        with clear_permission_errors(str(path)):
            content = path.read_text(encoding="utf-8-sig")
        _, mark, rest = content.partition("---\n")
        head, end, text = rest.partition("\n---\n")
        fields = yaml.safe_load(head) if mark and end else None
        if not isinstance(fields, dict):
            raise TypeError("it has no YAML head between two lines of ---")
        if threshold is not None:
            fields["threshold"] = threshold
        return Rubric(text=text.strip(), **fields)
    except (TypeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"this rubric cannot be read: {error}",
            where=str(path),
            fix="Begin it with name, low, high and threshold between two lines of ---",
        ) from error


def rubric_from_labels(
    labels: Sequence[float], threshold: float | None = None, *, where: str = "label column"
) -> Rubric:
    """Derive a rubric from labels: the scale that they span.

    Without `threshold` it is the lowest label that keeps at most half of the documents. `where` is the place of the
    labels in messages. Raise InputError if there are no labels, or all are equal.
    """
    if not labels:
        raise InputError(
            "no labels to read a scale from", where=where, fix="Name the column of the labels; they are numbers"
        )
    low, high = math.floor(min(labels)), math.ceil(max(labels))
    if low == high:
        raise InputError(
            f"all {len(labels)} labels are {low}",
            where=where,
            fix="Give documents of at least two different labels",
        )
    if threshold is None:
        levels = sorted(set(labels))[1:]
        threshold = next((level for level in levels if sum(x >= level for x in labels) <= len(labels) / 2), levels[-1])
    return Rubric(name="from-labels", low=low, high=high, threshold=threshold)
