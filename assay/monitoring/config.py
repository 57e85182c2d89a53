"""How one watches: how often, how many false alarms that may cost, and which changes matter at all."""

from dataclasses import dataclass

from assay.errors import InputError

HOURS_A_YEAR = 8_766.0
STATISTICS = (
    "score_psi",
    "score_ks",
    "length_psi",
    "length_ks",
    "language",
    "share_truncated",
    "share_kept",
)
"""What is compared at each look; the false alarms allowed are shared out among these equally."""


@dataclass(frozen=True)
class WatchConfig:
    """A plan for all looks at one model."""

    every_hours: float = 1.0
    """Hours from one look to the next: they say how many looks a year has."""
    false_alarms_a_year: float = 0.1
    """False alarms to be expected in a year of looks while nothing changes: 0.1 is one in ten years."""
    least_documents: int = 200
    """Documents of a window at least. Tests hold at any size, but of fewer documents a calm look would say little."""
    least_reference: int = 50
    """Documents that the reference must have, for the same reason."""
    psi: float = 0.1
    """Population stability index, beyond what samples of these sizes show anyway, from which a change matters. 0.1 and
    0.25 are the customary marks of a moderate and a large change."""
    ks: float = 0.1
    """Distance of the distribution functions from which a change matters."""
    share: float = 0.05
    """Change of a share, and of the languages' shares together, from which it matters."""
    cool_down_hours: float = 24.0
    """After an alarm that was acted upon, how long further ones are told but not acted upon again."""

    def __post_init__(self) -> None:
        for name in ("every_hours", "false_alarms_a_year", "least_documents", "least_reference"):
            if not 0 < getattr(self, name) < 1e9:
                raise InputError(f"{name} is {getattr(self, name)}", where="watch", fix="Give a number above 0")
        for name in ("psi", "ks", "share", "cool_down_hours"):
            if not 0 <= getattr(self, name) < 1e9:
                raise InputError(f"{name} is {getattr(self, name)}", where="watch", fix="Give 0 or more")
        if not 1e-9 <= self.level <= 0.5:
            raise InputError(
                f"{self.false_alarms_a_year:g} false alarms in {self.looks_a_year:,.0f} looks a year cannot be kept to",
                where="watch",
                fix="DriftLook more seldom, or allow more of them",
            )

    @property
    def looks_a_year(self) -> float:
        return HOURS_A_YEAR / self.every_hours

    @property
    def level_of_a_look(self) -> float:
        """Largest probability that a look raises an alarm while nothing has changed."""
        return self.false_alarms_a_year / self.looks_a_year

    @property
    def level(self) -> float:
        """The same for one statistic. By Bonferroni's inequality neither the dependence among the statistics nor that
        among looks, which share a reference and may share documents, makes it more."""
        return self.level_of_a_look / len(STATISTICS)
