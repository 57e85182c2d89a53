"""The request of a selection: a budget of tokens, a share, a threshold, or a precision or recall."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from assay.errors import InputError
from assay.model import Calibration, KeepTarget


@dataclass(frozen=True)
class SelectionRequest:
    """At most one of `token_budget`, `share`, `threshold` and `keep`. Without one: the model's own threshold."""

    token_budget: int | None = None
    """Budget in tokens for the best documents, by the tokenizer of the scores."""
    share: float | None = None
    """Share of the documents in scope to select, the best first; above 0, at most 1."""
    threshold: float | None = None
    """Lowest grade to select: a whole number of the scale, or the model's own threshold."""
    keep_duplicates: bool = False
    """Select near-duplicates of a selected document too."""
    keep: str | None = None
    """Target of the cut: f1, or a precision or recall such as recall=0.9, read from the curve kept with the model.
    It holds for documents like the calibration documents, with as many good ones among them."""
    mix_distance: float = 0.1
    """Distance of the corpus's scores from those of the calibration (Kolmogorov-Smirnov, beyond chance) above which it
    is another mix: a precision or recall with = is refused, anything else gets a warning."""
    correct_p_keep: bool = False
    """Write p_keep for the share of good documents estimated for the corpus, if label shift explains its mix."""
    search_again: bool = False
    """Search a corpus for near-duplicates again that was searched when it was built."""
    by: str = ""
    """Rubric that ranks the documents, if the model has several. Empty: its main rubric."""

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
        if not 0 <= self.mix_distance <= 1:
            raise InputError(f"mix_distance is {self.mix_distance:g}", where="selection", fix="Give 0 to 1")
        if self.keep is not None and KeepTarget.parse(self.keep).aim == "share":
            raise InputError("keep is a share", where="selection", fix="Give it as share")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        # Without the later fields if they have their defaults: so the provenance of such selections stays as it was.
        later = {"by": "", "mix_distance": 0.1, "correct_p_keep": False, "search_again": False}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}

    def in_words(self) -> str:
        """Return the request as a phrase for reports."""
        return f"{self._amount()} (by {self.by})" if self.by else self._amount()

    def _amount(self) -> str:
        if self.token_budget is not None:
            return f"the best {self.token_budget:,} tokens"
        if self.share is not None:
            return f"the best {self.share:.4g} of the documents in scope"
        if self.threshold is not None:
            return f"documents from grade {self.threshold:g}"
        if self.keep is not None:
            return f"documents above the score for {self.keep}"
        return "documents that reach the model's own threshold"


def score_at(calibration: Calibration, threshold: float | None, keep: str | None = None) -> float:
    """Return the lowest score to select for a grade or a target; without either, for the model's own threshold.

    Raise InputError if `threshold` is no grade above the lowest one, if no calibration document reached it, or if the
    calibration documents cannot promise the target.
    """
    # By the cut points, not by the expected label: then as many documents reach a grade as had labels that reach it.
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
            f"no document of the calibration set reached {name:g}", where="selection", fix="Lower the threshold"
        )
    return cut
