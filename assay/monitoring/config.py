"""The plan of a watch: the interval of drift looks, the false alarms allowed, and the changes that matter."""

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
"""The statistics of each drift look. Each gets an equal part of the false alarms allowed."""


@dataclass(frozen=True)
class WatchConfig:
    """The plan for all drift looks at one model."""

    every_hours: float = 1.0
    """Hours from one drift look to the next, which give the number of looks in a year."""
    false_alarms_a_year: float = 0.1
    """Expected number of false alarms in a year of drift looks without any change: 0.1 is one in ten years."""
    least_documents: int = 200
    """Smallest number of documents in a window. The tests hold at any size, but with fewer documents even a large
    change is rarely found."""
    least_reference: int = 50
    """Smallest number of documents in the reference, for the same reason."""
    least_worth: int = 50
    """Smallest number of independent documents that those of the window, or of the reference, must be worth. Documents
    that come in long runs of one kind, such as site by site, are worth fewer than they are. A plan that accepts fewer
    than four times as many documents needs a quarter of them."""
    psi: float = 0.1
    """Smallest population stability index, less its average by chance, that matters. 0.1 and 0.25 are the customary
    values for a moderate and a large change."""
    ks: float = 0.1
    """Smallest distance of the distribution functions that matters."""
    share: float = 0.05
    """Smallest change that matters of a share, and of the languages' shares together."""
    cool_down_hours: float = 24.0
    """Hours after an alarm that was acted upon, in which further alarms are reported but not acted upon."""

    def __post_init__(self) -> None:
        for name in ("every_hours", "false_alarms_a_year", "least_documents", "least_reference", "least_worth"):
            if not 0 < getattr(self, name) < 1e9:  # true for NaN, too
                raise InputError(f"{name} is {getattr(self, name)}", where="watch", fix="Give a number above 0")
        for name in ("psi", "ks", "share", "cool_down_hours"):
            if not 0 <= getattr(self, name) < 1e9:
                raise InputError(f"{name} is {getattr(self, name)}", where="watch", fix="Give 0 or more")
        # The number of shuffles is 2 / level: below 1e-9 a look would take too long.
        if not 1e-9 <= self.level <= 0.5:
            raise InputError(
                f"{self.false_alarms_a_year:g} false alarms in {self.looks_a_year:,.0f} looks a year cannot be kept to",
                where="watch",
                fix="Look less often, or allow more false alarms",
            )

    @property
    def looks_a_year(self) -> float:
        """The number of drift looks in a year."""
        return HOURS_A_YEAR / self.every_hours

    @property
    def level_of_a_look(self) -> float:
        """The largest probability that one drift look raises an alarm without any change."""
        return self.false_alarms_a_year / self.looks_a_year

    @property
    def level(self) -> float:
        """The same for one statistic.

        Statistics depend on each other, and looks share a reference and may share documents. Bonferroni's inequality
        holds for any dependence.
        """
        return self.level_of_a_look / len(STATISTICS)
