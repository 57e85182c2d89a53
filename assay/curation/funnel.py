"""How many documents and tokens each step took away."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from assay.curation.duplicates import Clusters, PieceMarks
from assay.curation.pieces import EXTRACTION, UNREADABLE

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
"""In the order in which documents meet them; a reason is a step, or `step: what failed`."""


def step_of(reason: str) -> str:
    """The step that drops documents for this reason."""
    return reason.partition(": ")[0]


@dataclass(frozen=True)
class Amount:
    """Documents and the UTF-8 bytes of their texts."""

    documents: int = 0
    bytes: int = 0

    @property
    def tokens(self) -> int:
        """An estimate: bytes / 4."""
        return self.bytes // 4

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.documents + other.documents, self.bytes + other.bytes)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.documents - other.documents, self.bytes - other.bytes)


@dataclass(frozen=True)
class Funnel:
    """What became of everything in a source. Texts count as they were when they were dropped, or as they are kept."""

    kept: Amount
    dropped: Mapping[str, Amount]
    """By reason, in the order of STEPS."""

    @classmethod
    def of(cls, marks: PieceMarks, clusters: Clusters) -> "Funnel":
        """From the footers of all pieces, and the clusters of their duplicates."""
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
        return cls(clean, {reason: dropped[reason] for reason in sorted(dropped, key=_order)})

    @property
    def found(self) -> Amount:
        """Everything, places that could not be read included."""
        return sum(self.dropped.values(), self.kept)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: documents and bytes."""
        dropped = {reason: [each.documents, each.bytes] for reason, each in self.dropped.items()}
        return {"kept": [self.kept.documents, self.kept.bytes], "dropped": dropped}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Funnel":
        """The inverse of `to_json`."""
        return cls(Amount(*fields["kept"]), {reason: Amount(*each) for reason, each in fields["dropped"].items()})

    def steps(self) -> pd.DataFrame:
        """What each step took, and what was left behind it."""
        left = self.found
        rows = [
            {"": "found", "dropped": None, "documents left": left.documents, "tokens left": left.tokens, "of all": 1.0}
        ]
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

    def reasons(self) -> pd.DataFrame:
        """Documents and tokens of each reason."""
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


def _order(reason: str) -> tuple[int, str]:
    step = step_of(reason)
    return (STEPS.index(step) if step in STEPS else len(STEPS), reason)
