"""One drift look: the comparison, its sentences for people, the decision to act, and its entry in the log."""

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
    """The result of one drift look."""

    version: str
    """Name of the model's version."""
    when: str
    """Time of the look, ISO 8601, UTC."""
    window: str
    """Description of the window, for people."""
    reference: str
    """Description of the reference, for people."""
    comparison: WindowComparison
    config: WatchConfig
    looks: int
    """Drift looks in the year before, this one included; 1 if no log is kept."""
    acted: str
    """Time of the alarm that was acted upon and still cools down. Empty if there is none."""
    about: str = ""
    """Name of the model's rubric, for people."""

    @property
    def alarm(self) -> bool:
        """True if any statistic raises an alarm."""
        return self.comparison.alarm

    @property
    def act(self) -> bool:
        """True if people should be informed or a model retrained: an alarm, and no earlier one cools down."""
        return self.alarm and not self.acted

    @property
    def sentences(self) -> tuple[str, ...]:
        """The result for people, the most important sentence first."""
        found, config = self.comparison, self.config
        lines = []
        if self.alarm:
            names = ", ".join(TITLES[name] for name in found.alarms)
            lines.append(f"Something has changed: {names}.")
        else:
            lines.append("Calm: no change is both beyond chance and large enough to matter.")
        lines += [_sentence(statistic) for statistic in found.statistics if statistic.alarm]
        if self.alarm and self.acted:
            lines.append(
                f"An alarm of {self.acted} was acted upon; for {config.cool_down_hours:g} hours from it further alarms "
                "are only reported."
            )
        small = [each.name for each in found.statistics if each.beyond_chance and not each.alarm]
        if small:
            lines.append(f"Beyond chance, but too small to matter: {', '.join(TITLES[name] for name in small)}.")
        lines.append(
            f"{found.documents:,} documents compared with {found.reference_documents:,} of the reference"
            f"{_worth(found)}. At these sizes a distance of the distribution functions of {found.ks_seen_from:.2f} or "
            "more is beyond chance."
        )
        lines.append(
            f"False alarms: {config.false_alarms_a_year:g} expected in a year of {config.looks_a_year:,.0f} drift "
            "looks, if nothing changes and documents of one kind come one after the other (Bonferroni over looks and "
            f"{len(found.statistics)} statistics: p at most {config.level:.2g}). Looks in the past year: "
            f"{self.looks:,}."
        )
        if self.looks > config.looks_a_year * 1.01:
            lines.append(
                "There were more looks than planned, so the expected number of false alarms does not hold. Look less "
                "often, or plan more looks."
            )
        return tuple(lines)

    def look(self, number: int) -> DriftLook:
        """Return the entry for the log of drift looks."""
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
        """Return the message for a webhook, as plain JSON values."""
        return {"title": f"{self.about or self.version}: drift", **self.to_json()}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
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
    """Compare a window with the reference, and decide from the earlier looks if an alarm is to be acted upon.

    `called` describes the reference; `about` is the name of the rubric. The look is not added to the log: its caller
    does that with `DriftLookLog.append`, after acting upon it. Raise InputError if window or reference have too few
    documents; then there was no look.
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


def _worth(found: WindowComparison) -> str:
    """Return what documents in runs or clusters are worth, as an addition to their numbers."""
    if found.worth == found.documents and found.reference_worth == found.reference_documents:
        return ""
    return (
        f", which come in runs or clusters and are worth {found.worth:,.0f} and {found.reference_worth:,.0f} "
        "independent ones"
    )


def _sentence(found: Statistic) -> str:
    title = TITLES[found.name][0].upper() + TITLES[found.name][1:]
    p = f"p at most {found.p:.1g}"
    if found.name.endswith("_psi"):
        return f"{title}: {found.value:.2f}, of which chance alone gives {found.by_chance:.2f}; {p}."
    if found.name.startswith("share"):
        return f"{title}: {100 * found.value:+.1f} percentage points; {p}."
    return f"{title}: a distance of {found.value:.2f}; {p}."
