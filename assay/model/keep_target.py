"""The target for which the cut between kept and dropped documents is chosen, as people write it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from assay.errors import InputError

Aim: TypeAlias = Literal["labels", "f1", "share", "precision", "recall"]


@dataclass(frozen=True)
class KeepTarget:
    """Target for which the cut between kept and dropped documents is chosen.

    `labels`: keep as many documents as have labels that reach the threshold. `f1`: maximise F1. `share`: keep a share
    of the documents. `precision`: keep as many documents as have at least this precision. `recall`: keep as few
    documents as have at least this recall. Population of a precision or recall: documents like the calibration
    documents, with as many positive ones among them.
    """

    aim: Aim = "labels"
    """Quantity that the target is about."""
    value: float | None = None
    """Value of a share, precision or recall: above 0, at most 1. None for `labels` and `f1`."""
    promised: bool = True
    """True if a precision or recall must hold with 95 % confidence, False if it is only measured."""

    def __post_init__(self) -> None:
        if self.aim not in get_args(Aim):
            raise InputError(f"keep is {self.aim!r}", fix=f"Give {SPELLINGS}")
        if (self.aim in ("labels", "f1")) != (self.value is None):
            fault = "needs no number" if self.value is not None else "needs a number"
            raise InputError(f"keep {self.aim} {fault}", fix=f"Give {SPELLINGS}")
        if self.value is not None and not 0 < self.value <= 1:
            raise InputError(f"keep {self.aim} is {self.value:g}", fix="Give more than 0 and at most 1")
        if self.promised and self.aim in ("precision", "recall") and self.value == 1:
            raise InputError(f"no number of documents can promise a {self.aim} of 1", fix="Give less than 1")

    @classmethod
    def parse(cls, text: str) -> "KeepTarget":
        """Parse `labels`, `f1`, `share=0.1`, `precision=0.8` or `recall=0.9`. With `~` for `=` nothing is promised.

        Raise InputError for any other text.
        """
        mark = "~" if "~" in text else "="
        aim, given, value = text.partition(mark)
        try:
            number = float(value) if given else None
        except ValueError:
            raise InputError(f"keep is {text!r}", fix=f"Give {SPELLINGS}") from None
        return cls(aim, number, mark == "=")  # type: ignore[arg-type]

    @property
    def binding(self) -> bool:
        """True if a precision or recall is promised: this holds for the model alone whose scores chose the cut."""
        return self.promised and self.aim in ("precision", "recall")

    def __str__(self) -> str:
        return self.aim if self.value is None else f"{self.aim}{'=' if self.promised else '~'}{self.value:g}"


AS_LABELLED = KeepTarget()
SPELLINGS = "labels, f1, share=0.1, precision=0.8 or recall=0.9 (with 95 % confidence; ~ for = as measured)"


def require_own_scores(target: KeepTarget, *, other_models: bool) -> None:
    """Raise InputError if a precision or recall is promised by scores of other models than the one that is used."""
    if other_models and target.binding:
        # Simulated: where fold models spread their scores by a tenth more than the final model, 35 % of the promises of
        # recall=0.9 were broken; nothing measured at training bounds that difference.
        raise InputError(
            f"a cut chosen on the scores of other models cannot promise {target}: the one that ships scores otherwise",
            where="folds or refit",
            fix=f"Give {str(target).replace('=', '~')}, which promises nothing, or train without folds and refit",
        )
