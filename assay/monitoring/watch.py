"""One look: the window compared, the sentences, whether to act, and its entry among the former looks."""

import datetime
from dataclasses import dataclass
from typing import Any

from assay.model import Profile
from assay.monitoring.compare import Statistic, WindowComparison, compare
from assay.monitoring.config import WatchConfig
from assay.monitoring.looks import DriftLook, DriftLookLog
from assay.monitoring.window import Window

TITLES = {
    "score_psi": "scores, stability index",
    "score_ks": "scores, Kolmogorov–Smirnov",
    "length_psi": "lengths, stability index",
    "length_ks": "lengths, Kolmogorov–Smirnov",
    "language": "languages",
    "share_truncated": "share truncated",
    "share_kept": "share kept",
}


@dataclass(frozen=True)
class WatchResult:
    """What one look found."""

    version: str
    """Of the model."""
    when: str
    """ISO 8601, UTC."""
    window: str
    reference: str
    comparison: WindowComparison
    config: WatchConfig
    looks: int
    """In the year before, this one counted; 1 where none are kept."""
    acted: str
    """When the last alarm was that was to be acted upon and still cools down; empty where none is."""
    about: str = ""
    """Name of the model's rubric, for people."""

    @property
    def alarm(self) -> bool:
        return self.comparison.alarm

    @property
    def act(self) -> bool:
        """Whether to retrain, or to call somebody: an alarm, and none cools down."""
        return self.alarm and not self.acted

    @property
    def sentences(self) -> tuple[str, ...]:
        """For people, the most important one first."""
        found, config = self.comparison, self.config
        said = []
        if self.alarm:
            names = ", ".join(TITLES[name] for name in found.alarms)
            said.append(f"Something has changed: {names}.")
        else:
            said.append("Calm: nothing has changed beyond chance and by so much that it matters.")
        said += [_sentence(statistic) for statistic in found.statistics if statistic.alarm]
        if self.alarm and self.acted:
            said.append(
                f"An alarm of {self.acted} was acted upon; further ones are only told for {config.cool_down_hours:g} "
                "hours from it."
            )
        small = [each.name for each in found.statistics if each.beyond_chance and not each.alarm]
        if small:
            said.append(f"Beyond chance, but too small to matter: {', '.join(TITLES[name] for name in small)}.")
        said.append(
            f"{found.documents:,} documents beside {found.reference_documents:,} of the reference: a distance of the "
            f"distribution functions from {found.ks_seen_from:.2f} on stands out from chance here."
        )
        said.append(
            f"False alarms: {config.false_alarms_a_year:g} expected in a year of {config.looks_a_year:,.0f} looks, "
            f"while nothing changes and documents are independent (Bonferroni over looks and {len(found.statistics)} "
            f"statistics: p at most {config.level:.2g}); {self.looks:,} in the past year."
        )
        if self.looks > config.looks_a_year * 1.01:
            said.append("There were more looks than planned: that promise does not hold. Check less often, or say so.")
        return tuple(said)

    def look(self, number: int) -> DriftLook:
        """As an entry of the log of looks."""
        found = self.comparison
        return DriftLook(
            number=number,
            when=self.when,
            version=self.version,
            window=self.window,
            documents=found.documents,
            alarms=found.alarms,
            act=self.act,
            shares={name: after for name, (_, after) in found.shares.items()},
            p={statistic.name: statistic.p for statistic in found.statistics},
        )

    def message(self) -> dict[str, Any]:
        """For a webhook: plain JSON values."""
        return {"title": f"{self.about or self.version}: drift", **self.to_json()}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "version": self.version,
            "when": self.when,
            "window": self.window,
            "reference": self.reference,
            "alarm": self.alarm,
            "act": self.act,
            "alarms": list(self.comparison.alarms),
            "sentences": list(self.sentences),
            "looks": self.looks,
            "level": self.config.level,
            "false_alarms_a_year": self.config.false_alarms_a_year,
            **self.comparison.to_json(),
        }


def watch(
    version: str,
    reference: Profile,
    window: Window,
    config: WatchConfig,
    *,
    called: str = "the calibration part",
    about: str = "",
    looks: DriftLookLog | None = None,
    now: datetime.datetime | None = None,
) -> WatchResult:
    """Check a window, knowing the looks before; `DriftLookLog.append` adds this one once it was acted upon.

    `called`: what the reference is; `about`: name of the rubric. Raises InputError where either has too few documents,
    which counts as no look.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    comparison = compare(reference, window.profile, config)
    last: DriftLook | None = None
    count = 1
    if looks:
        last = looks.last_act(version, now - datetime.timedelta(hours=config.cool_down_hours))
        count += looks.count_of_a_year(now)
    when = now.isoformat(timespec="seconds")
    return WatchResult(version, when, window.words, called, comparison, config, count, last.when if last else "", about)


def _sentence(found: Statistic) -> str:
    title = TITLES[found.name][0].upper() + TITLES[found.name][1:]
    p = f"p at most {found.p:.1g}"
    if found.name.endswith("_psi"):
        return f"{title}: {found.value:.2f}, where chance alone brings about {found.by_chance:.2f}; {p}."
    if found.name.startswith("share"):
        return f"{title}: {100 * found.value:+.1f} percentage points; {p}."
    return f"{title}: {found.value:.2f} apart; {p}."
