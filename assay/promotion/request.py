"""The request of a challenge: the one definition behind `assay challenge`, its file, and the workflows that promote."""

import datetime
from dataclasses import dataclass, field
from functools import partial

from assay.gates import GATE_LIMIT, GateLimits
from assay.options import group, written
from assay.promotion.limits import LIMIT, PromotionLimits
from assay.sources import Columns, read_date


@dataclass(frozen=True)
class ChallengeRequest:
    """Everything that decides how a challenger is compared with the champion."""

    source: str
    """Labelled documents, the same test set each time: Parquet, JSONL or CSV as file, folder or URL."""
    columns: Columns = field(
        default=Columns(label="label"),
        metadata=group("text", "label", "group", "id", title="columns of the source"),
    )
    slice_by: tuple[str, ...] = ()
    """Column in whose values the challenger must not be worse; may be given several times."""
    data_until: datetime.date | None = field(
        default=None,
        metadata=written(partial(read_date, where="--data-until"), plain=datetime.date.isoformat, metavar="DATE"),
    )
    """Day of the newest data that the challenger learned from."""
    limits: PromotionLimits = field(
        default_factory=PromotionLimits,
        metadata=LIMIT,
    )
    """Limit of the promotion rules: mode=better or not_worse, margin, slice_margin, slice_documents,
    calibration_error, brier, latency_ms, megabytes, data_days, decisions_a_year, test_uses, test_days, worn_out=warn or
    refuse; may be given several times."""
    gates: GateLimits = field(
        default_factory=GateLimits,
        metadata=GATE_LIMIT,
    )
    """Limit from which a gate refuses the challenger, such as shortcuts.excess=0.3; may be given several times."""
