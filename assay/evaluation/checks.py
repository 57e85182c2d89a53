"""Checks of what a run names: the metric of the rubric, columns to slice by, columns of raters."""

from collections.abc import Sequence

from assay.errors import InputError
from assay.metrics import METRICS
from assay.rubric import Rubric
from assay.storage import Snapshot


def require_metric(rubric: Rubric) -> None:
    """Raise InputError if the rubric's primary metric does not exist."""
    if rubric.primary_metric not in METRICS:
        raise InputError(
            f"no metric {rubric.primary_metric!r}",
            where=f"rubric {rubric.name}, primary_metric",
            fix=f"Name one of: {', '.join(METRICS)}",
        )


def require_slices(snapshot: Snapshot, slice_by: Sequence[str]) -> None:
    """Raise InputError if the snapshot has no column of one of these names."""
    for column in slice_by:
        if column not in snapshot.manifest.schema:
            names = ", ".join(snapshot.manifest.schema)
            raise InputError(f"no column {column!r} to slice by", where=snapshot.sources, fix=f"Name one of: {names}")


def require_raters(snapshot: Snapshot, columns: Sequence[str]) -> None:
    """Raise InputError if there is only one column of ratings, or the snapshot has no column of one of these names."""
    # A set: one column named twice would agree with itself.
    if len(set(columns)) == 1:
        raise InputError("agreement needs two raters", where=columns[0], fix="Name two columns of ratings or more")
    for column in columns:
        if column not in snapshot.manifest.schema:
            names = ", ".join(snapshot.manifest.schema)
            raise InputError(f"no column {column!r} of a rater", where=snapshot.sources, fix=f"Name one of: {names}")
