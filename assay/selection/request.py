"""What is asked for: a budget of tokens, a share, a threshold, or a precision or recall."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from assay.errors import InputError
from assay.model import Calibration, KeepTarget


@dataclass(frozen=True)
class SelectionRequest:
    """At most one of four; with none, what the model keeps at its own threshold."""

    token_budget: int | None = None
    """Tokens of the best documents, by the tokenizer that counted them while scoring."""
    share: float | None = None
    """Share of the documents in scope, the best of them; above 0, at most 1."""
    threshold: float | None = None
    """A grade of the scale, from which documents are taken."""
    keep_duplicates: bool = False
    """Whether near-duplicates of a taken document are taken too."""
    keep: str | None = None
    """f1, or a precision or recall of the kept class, as KeepTarget spells them; by the curve kept with the model."""
    by: str = ""
    """Rubric of a model with several that says which documents are the best; empty: its main one."""

    def __post_init__(self) -> None:
        given = [name for name in ("token_budget", "share", "threshold", "keep") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} at once", where="selection", fix="Give one of them")
        if self.token_budget is not None and self.token_budget < 1:
            raise InputError(f"a budget of {self.token_budget} tokens", where="selection", fix="Give 1 or more")
        if self.share is not None and not 0 < self.share <= 1:
            raise InputError(f"share is {self.share:g}", where="selection", fix="Give more than 0 and at most 1")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"threshold is {self.threshold}", where="selection", fix="Give a grade of the scale")

        if self.keep is not None and KeepTarget.parse(self.keep).aim == "share":
            raise InputError("keep is a share", where="selection", fix="Give it as share")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; nothing of a rubric where none is named."""
        return {name: value for name, value in asdict(self).items() if name != "by" or value}

    def in_words(self) -> str:
        """For people."""
        return f"{self._amount()} (by {self.by})" if self.by else self._amount()

    def _amount(self) -> str:
        if self.token_budget is not None:
            return f"the best {self.token_budget:,} tokens"
        if self.share is not None:
            return f"the best {self.share:.4g} of the documents in scope"
        if self.threshold is not None:
            return f"documents from grade {self.threshold:g}"
        if self.keep is not None:
            return f"documents from the score that stands for {self.keep}"
        return "documents that reach the model's own threshold"


def score_at(calibration: Calibration, threshold: float | None, keep: str | None = None) -> float:
    """Lowest score that is taken at a grade, or for a target; without either, at the model's own threshold.

    The cut points, not the expected label: as many documents reach a grade as had labels that reach it. Raises
    InputError for what is no grade of the scale above its lowest, for one that no document reached, and for a target
    that the calibration documents cannot promise.
    """
    if keep is not None:
        if calibration.curve is None:
            raise InputError(
                "this model keeps no curve of precision and recall", where="selection", fix="Train it again"
            )
        cut, name = calibration.curve.choose(KeepTarget.parse(keep)).score, calibration.threshold
    elif threshold is None or (threshold == calibration.threshold and threshold != int(threshold)):
        cut, name = calibration.keep_cut, calibration.threshold
    elif threshold != int(threshold) or not calibration.low < threshold <= calibration.high:
        raise InputError(
            f"threshold {threshold:g} is no grade to select by",
            where="selection",
            fix=f"Give a whole number from {calibration.low + 1} to {calibration.high}, "
            f"or the model's own {calibration.threshold:g}",
        )
    else:
        cut, name = calibration.grade_cuts[int(threshold) - calibration.low - 1], threshold
    if cut is None:
        raise InputError(
            f"no document of the calibration part reached {name:g}", where="selection", fix="Lower the threshold"
        )
    return cut
