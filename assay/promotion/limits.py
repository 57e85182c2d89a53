"""The limits of a promotion, and how people write them: `mode=not_worse`, `margin=0.02`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from assay.errors import InputError
from assay.metrics import LEAST_SLICE
from assay.options import plain_settings, written
from assay.storage import only_known_fields, parse_setting

Mode = Literal["better", "not_worse"]
WornOut = Literal["warn", "refuse"]
WHERE = "limits of a promotion"


@only_known_fields
@dataclass(frozen=True)
class PromotionLimits:
    """Limits of the promotion rules. A limit of None is not checked."""

    mode: Mode = "better"
    """Comparison with the champion in the rubric's primary metric. `better`: the 95 % interval of the difference must
    be above 0. `not_worse`: it must be above -`margin`, for a challenger that is wanted for another reason, such as
    newer data or speed."""
    margin: float = 0.01
    """Loss in the primary metric, in its own units, that may remain possible if `mode` is `not_worse`."""
    slice_margin: float = 0.05
    """Loss in a slice, in units of the primary metric, that refuses the challenger if the whole interval of the
    difference is beyond it."""
    slice_documents: int = LEAST_SLICE
    """Documents that a slice needs to be compared. A slice with fewer than 50 clusters is never compared."""
    calibration_error: float = 0.1
    """Largest expected calibration error of p_keep. A larger one is accepted if a perfectly calibrated model shows as
    much by chance on as few documents."""
    calibration_ratio: float = 1.25
    """Largest factor between positive documents observed and expected by p_keep, either way. Exceeded if the whole 95 %
    interval is beyond it."""
    calibration_odds: float = 1.5
    """Largest factor between the odds of the labels and those of p_keep, either way; exceeded alike."""
    calibration_slope: float = 1.5
    """Largest factor between the slope of the labels' log odds on those of p_keep and 1, either way; exceeded alike."""
    brier: float | None = None
    """Largest mean squared error of p_keep."""
    latency_ms: float | None = None
    """Longest time for a single document, 95th percentile, in milliseconds on the machine that runs the comparison."""
    megabytes: float | None = None
    """Largest size of the model folder, in 10^6 bytes."""
    data_days: float | None = None
    """Largest age of the newest data that the challenger learned from, in days."""
    decisions_a_year: int = 52
    """Decisions planned in 365 days. Each one has this share of the 2.5 % with which a challenger that is no better may
    pass in a year. Fewer see smaller gains. A decision beyond them promotes nothing by itself."""
    test_uses: int = 20
    """Uses that the documents of a test set may serve on average. A convention, not a bound: see
    `assay.promotion.test_set`."""
    test_days: float = 365
    """Days that half of the documents of a test set may serve before a new one is needed."""
    worn_out: WornOut = "warn"
    """Effect of a test set beyond `test_uses` or `test_days`. `warn`: the verdict reports it. `refuse`: every
    challenger is refused."""

    def __post_init__(self) -> None:
        # NaN fails each of these, because every comparison with it is false.
        checks = {
            f"mode is {self.mode!r}; give {' or '.join(get_args(Mode))}": self.mode in get_args(Mode),
            f"worn_out is {self.worn_out!r}; give {' or '.join(get_args(WornOut))}": self.worn_out in get_args(WornOut),
            f"margin {self.margin:g} must be above 0": 0 < self.margin < math.inf,
            f"slice_margin {self.slice_margin:g} must be 0 or more": 0 <= self.slice_margin < math.inf,
            f"slice_documents {self.slice_documents} must be at least {LEAST_SLICE}": self.slice_documents
            >= LEAST_SLICE,
            f"calibration_error {self.calibration_error:g} must be between 0 and 1": 0 <= self.calibration_error <= 1,
            f"calibration_ratio {self.calibration_ratio:g} must be above 1": 1 < self.calibration_ratio < math.inf,
            f"calibration_odds {self.calibration_odds:g} must be above 1": 1 < self.calibration_odds < math.inf,
            f"calibration_slope {self.calibration_slope:g} must be above 1": 1 < self.calibration_slope < math.inf,
            f"brier {self.brier} must be between 0 and 1": self.brier is None or 0 <= self.brier <= 1,
            f"decisions_a_year {self.decisions_a_year} must be at least 1": self.decisions_a_year >= 1,
            f"test_uses {self.test_uses} must be at least 1": self.test_uses >= 1,
            f"test_days {self.test_days:g} must be above 0": 0 < self.test_days < math.inf,
        }
        for name in ("latency_ms", "megabytes", "data_days"):
            budget = getattr(self, name)
            checks[f"{name} {budget} must be above 0"] = budget is None or 0 < budget < math.inf
        for what, holds in checks.items():
            if not holds:
                raise InputError(what, where=WHERE)


def read_promotion_limits(given: Sequence[str]) -> PromotionLimits:
    """Return the default limits with those of `given`, each `name=value`, in their place.

    If a name is given twice, the last value counts. Raise InputError for an unknown name and an invalid value.
    """
    limits, known = PromotionLimits(), [field.name for field in fields(PromotionLimits)]
    values: dict[str, str] = {}
    for entry in given:
        name, _, text = (part.strip() for part in entry.partition("="))
        if name not in known:
            raise InputError(f"no limit {name!r}", where=WHERE, fix=f"Name one of: {', '.join(known)}")
        values[name] = text
        # Parsed after each entry, so that the message names the entry at fault.
        limits = parse_setting(
            PromotionLimits, values, what=f"the limit {entry!r}", where=WHERE, fix=f"Give {name}= and a value"
        )
    return limits


LIMIT = written(read_promotion_limits, plain=plain_settings, many=True, name="limit", metavar="NAME=VALUE")
"""Metadata of a request's field of PromotionLimits."""
