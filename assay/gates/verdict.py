"""What a gate says of a model: passed, refused, or too little was there to say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from assay.errors import InputError


@dataclass(frozen=True)
class Verdict:
    """One gate's word on one model."""

    name: str
    """Of the gate: `shortcuts`, `counterfactuals` or `leak`."""
    passed: bool | None
    """None where fewer documents than the gate needs were there: no verdict, neither good nor bad."""
    reasons: list[str] = field(default_factory=list)
    """In plain words: why it was refused, or why there is no verdict; empty where it passed."""
    figures: dict = field(default_factory=dict)  # type: ignore[type-arg]  # of dict[str, Any] Flyte would make a pickle
    """What was measured, as plain JSON values under their names; a list of rows is shown as a table."""

    @property
    def refused(self) -> bool:
        """Whether a model must not be promoted with it; no verdict refuses nothing."""
        return self.passed is False

    def sentence(self) -> str:
        """For people: name, verdict and reasons."""
        said = {True: "passed", False: "refused", None: "no verdict"}[self.passed]
        return f"{self.name}: {said}" + (f". {' '.join(self.reasons)}" if self.reasons else ".")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Verdict":
        """The inverse of `to_json`; raises InputError where it is no verdict."""
        try:
            return cls(**fields)
        except TypeError as error:
            raise InputError(f"this verdict of a gate cannot be read: {error}") from error


def decide(name: str, refusals: Sequence[str], figures: dict[str, Any], *, too_little: str = "") -> Verdict:
    """Refused with any refusal; without one no verdict where `too_little` says why, and passed otherwise."""
    if refusals:
        return Verdict(name, False, list(refusals), figures)
    return Verdict(name, None, [too_little], figures) if too_little else Verdict(name, True, [], figures)
