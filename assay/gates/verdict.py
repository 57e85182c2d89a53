"""The verdict of a gate on a model: passed, refused, or no verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from assay.storage import only_known_fields


@only_known_fields
@dataclass(frozen=True)
class Verdict:
    """The verdict of one gate on one model."""

    name: str
    """Name of the gate: `shortcuts`, `counterfactuals` or `leak`."""
    passed: bool | None
    """True or False; None for no verdict, if there were fewer documents than the gate needs."""
    reasons: list[str] = field(default_factory=list)
    """Sentences that say why the model was refused or why there is no verdict; empty if it passed."""
    figures: dict = field(default_factory=dict)  # type: ignore[type-arg]  # of dict[str, Any] Flyte would make a pickle
    """Measurements as plain JSON values, by their names; a list of rows is shown as a table."""

    @property
    def refused(self) -> bool:
        """True if the gate forbids the promotion of the model. No verdict forbids nothing."""
        return self.passed is False

    def sentence(self) -> str:
        """Return name, verdict and reasons as one line for people."""
        outcome = {True: "passed", False: "refused", None: "no verdict"}[self.passed]
        return f"{self.name}: {outcome}" + (f". {' '.join(self.reasons)}" if self.reasons else ".")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def decide(name: str, refusals: Sequence[str], figures: dict[str, Any], *, too_little: str = "") -> Verdict:
    """Return a verdict: refused if there are refusals, else no verdict if `too_little` gives a reason, else passed."""
    # A refusal comes first: what could not be measured does not excuse what was.
    if refusals:
        return Verdict(name, False, list(refusals), figures)
    return Verdict(name, None, [too_little], figures) if too_little else Verdict(name, True, [], figures)
