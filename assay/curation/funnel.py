"""The funnel of a build: the documents and tokens that each step dropped."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from assay.curation.duplicates import Clusters, PieceMarks
from assay.curation.pieces import EXTRACTION, UNREADABLE
from assay.storage import parse_record

EXACT_REASON, NEAR_REASON = "exact duplicate", "near-duplicate"
STEPS = (
    UNREADABLE,
    EXTRACTION,
    "no text",
    "language",
    "Gopher repetition",
    "Gopher quality",
    "C4",
    "FineWeb",
    EXACT_REASON,
    NEAR_REASON,
)
"""Steps in the order in which documents pass them. A reason is a step, or `step: the rule that failed`."""
MOST_REASONS = 100
"""Reasons to pass over parts of a source that are shown one by one."""


def step_of(reason: str) -> str:
    """Return the step that drops documents for this reason."""
    return reason.partition(": ")[0]


@dataclass(frozen=True)
class Amount:
    """Documents and the UTF-8 bytes of their texts."""

    documents: int = 0
    bytes: int = 0

    @property
    def tokens(self) -> int:
        """Return the estimated number of tokens: bytes / 4."""
        return self.bytes // 4

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.documents + other.documents, self.bytes + other.bytes)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.documents - other.documents, self.bytes - other.bytes)


@dataclass(frozen=True)
class Funnel:
    """Documents and bytes of a source, kept and dropped by reason.

    The bytes of a dropped document are those of its text when it was dropped.
    """

    kept: Amount
    dropped: Mapping[str, Amount]
    """Reason -> amount, in the order of STEPS."""
    passed: Mapping[str, int] = field(default_factory=dict)
    """Reason -> parts of the source that hold no documents and were passed over: files, and records of archives."""

    @classmethod
    def of(cls, marks: PieceMarks, clusters: Clusters) -> "Funnel":
        """Add up the footers of all pieces and the clusters of their duplicates."""
        dropped: dict[str, Amount] = defaultdict(Amount)
        clean = Amount()
        for counts in marks.counts:
            clean += Amount(counts.kept, counts.kept_bytes)
            for reason, (documents, size) in counts.dropped.items():
                dropped[reason] += Amount(documents, size)
        for reason, same in ((EXACT_REASON, True), (NEAR_REASON, False)):
            rows = clusters.fallen & (clusters.same == same)
            if rows.any():
                dropped[reason] = Amount(int(rows.sum()), int(clusters.bytes[rows].sum()))
                clean -= dropped[reason]
        passed: Counter[str] = Counter()
        for each in marks.folder.plan.passed:
            passed[f"file, {each.reason}"] += each.count
        for counts in marks.counts:
            passed.update({f"record, {reason}": count for reason, count in counts.passed.items()})
        ranked = sorted(passed.items(), key=lambda each: (-each[1], each[0]))
        rest = sum(count for _, count in ranked[MOST_REASONS:])
        shown = dict(ranked[:MOST_REASONS]) | ({"other reasons": rest} if rest else {})
        return cls(clean, {reason: dropped[reason] for reason in sorted(dropped, key=_order)}, shown)

    @property
    def found(self) -> Amount:
        """Return the amount of everything, with the places that could not be read."""
        return sum(self.dropped.values(), self.kept)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: [documents, bytes] of each amount."""
        dropped = {reason: [each.documents, each.bytes] for reason, each in self.dropped.items()}
        passed = {"passed": dict(self.passed)} if self.passed else {}
        return {"kept": [self.kept.documents, self.kept.bytes], "dropped": dropped, **passed}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Funnel":
        """Read what `to_json` returned. Raise InputError for anything else."""
        stored = parse_record(_Stored, fields, what="this funnel", fix="Build the snapshot again")
        return cls(
            Amount(*stored.kept), {reason: Amount(*each) for reason, each in stored.dropped.items()}, stored.passed
        )

    def steps(self) -> pd.DataFrame:
        """Return one row for each step that dropped documents: what it dropped, and what was left."""
        left = self.found
        rows: list[dict[str, Any]] = []
        if self.passed:
            nothing = {"documents left": None, "tokens left": None, "of all": None}
            rows.append({"": "passed over: no documents", "dropped": sum(self.passed.values()), **nothing})
        rows.append(
            {"": "found", "dropped": None, "documents left": left.documents, "tokens left": left.tokens, "of all": 1.0}
        )
        for step in STEPS:
            gone = sum((each for reason, each in self.dropped.items() if step_of(reason) == step), Amount())
            if gone.documents:
                left -= gone
                rows.append(
                    {
                        "": f"without: {step}",
                        "dropped": gone.documents,
                        "documents left": left.documents,
                        "tokens left": left.tokens,
                        "of all": left.documents / self.found.documents,
                    }
                )
        return pd.DataFrame(rows, dtype=object)

    def passed_over(self) -> pd.DataFrame:
        """Return the parts of the source that hold no documents, by reason, the most frequent first."""
        return pd.DataFrame([{"reason": reason, "parts": count} for reason, count in self.passed.items()], dtype=object)

    def reasons(self) -> pd.DataFrame:
        """Return the documents and tokens of each reason."""
        rows = [
            {
                "reason": reason,
                "documents": each.documents,
                "tokens": each.tokens,
                "of all documents": each.documents / self.found.documents,
            }
            for reason, each in self.dropped.items()
        ]
        return pd.DataFrame(rows, dtype=object)


@dataclass(frozen=True)
class _Stored:
    """The JSON form of a funnel: pairs in place of amounts."""

    kept: tuple[int, int]
    dropped: dict[str, tuple[int, int]]
    passed: dict[str, int] = field(default_factory=dict)


def _order(reason: str) -> tuple[int, str]:
    step = step_of(reason)
    return (STEPS.index(step) if step in STEPS else len(STEPS), reason)
