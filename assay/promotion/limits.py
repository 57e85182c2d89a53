"""What a challenger has to reach to become champion, and how people write it: `mode=not_worse`, `margin=0.02`."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from assay.errors import InputError
from assay.metrics import LEAST_SLICE

Mode = Literal["better", "not_worse"]
WornOut = Literal["warn", "refuse"]
WHERE = "limits of a promotion"


@dataclass(frozen=True)
class PromotionLimits:
    """Limits of the promotion gate. A budget of None is not asked for."""

    mode: Mode = "better"
    """`better`: beyond doubt better than the champion in the rubric's primary metric. `not_worse`: beyond doubt not
    worse by more than `margin`, for a challenger that is wanted for another reason, such as newer data or speed."""
    margin: float = 0.01
    """Of `not_worse`: the loss in the primary metric, in its own units, that may remain possible."""
    slice_margin: float = 0.05
    """Loss in a slice, in units of the primary metric, beyond which it refuses, where beyond doubt."""
    slice_documents: int = LEAST_SLICE
    """Documents from which a slice has a say; below 50 clusters it has none in any case."""
    calibration_error: float = 0.1
    """Largest expected calibration error of p_keep; more is let pass where a perfectly calibrated model would show as
    much on so few documents."""
    brier: float | None = None
    """Largest mean squared error of p_keep."""
    latency_ms: float | None = None
    """Longest time for a single document, 95th percentile, in milliseconds on the machine that judges."""
    megabytes: float | None = None
    """Largest size of the model folder, in 10^6 bytes."""
    data_days: float | None = None
    """Largest age of the newest data that it learned from, in days."""
    test_uses: int = 20
    """Decisions that one test set may serve. A convention, no bound: see `assay.promotion.test_set`."""
    test_days: float = 365
    """Days from the first decision of a test set after which a new one is asked for."""
    worn_out: WornOut = "warn"
    """What a test set past these two does: `warn` says so in the verdict, `refuse` refuses every challenger."""

    def __post_init__(self) -> None:
        checks = {
            f"mode is {self.mode!r}; give {' or '.join(get_args(Mode))}": self.mode in get_args(Mode),
            f"worn_out is {self.worn_out!r}; give {' or '.join(get_args(WornOut))}": self.worn_out in get_args(WornOut),
            f"margin {self.margin:g} must be above 0": 0 < self.margin < math.inf,
            f"slice_margin {self.slice_margin:g} must be 0 or more": 0 <= self.slice_margin < math.inf,
            f"slice_documents {self.slice_documents} must be at least {LEAST_SLICE}": self.slice_documents
            >= LEAST_SLICE,
            f"calibration_error {self.calibration_error:g} must lie between 0 and 1": 0 <= self.calibration_error <= 1,
            f"brier {self.brier} must lie between 0 and 1": self.brier is None or 0 <= self.brier <= 1,
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
    """The usual limits, with those of `given`, each `name=value`, in their place; of a name twice, the last.

    Raises InputError for anything else.
    """
    known = {field.name: field.type for field in fields(PromotionLimits)}
    values: dict[str, Any] = {}
    for entry in given:
        name, _, text = (part.strip() for part in entry.partition("="))
        if name not in known:
            raise InputError(f"no limit {name!r}", where=WHERE, fix=f"Name one of: {', '.join(known)}")
        if name in ("mode", "worn_out"):
            values[name] = text
            continue
        whole = known[name] is int
        try:
            values[name] = int(text) if whole else float(text)
        except ValueError as error:
            raise InputError(
                f"{entry!r} is no limit", where=WHERE, fix=f"Give {name}= and a {'whole ' if whole else ''}number"
            ) from error
    return dataclasses.replace(PromotionLimits(), **values)
