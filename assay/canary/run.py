"""Run a canary: divide the traffic, look at it, decide, and record the verdict in the log of decisions."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from assay.canary.judge import Test, judge, missing
from assay.canary.traffic import Tally, Traffic
from assay.canary.verdict import Verdict, canary_report
from assay.deployment import Canary, CanaryConfig, CanaryTarget, Deployed, Target, WithdrawnError
from assay.errors import InputError
from assay.progress import say
from assay.registry import CHAMPION, Decision, DecisionLog, Registry
from assay.report import render_html

CHECK_EVERY = 1.0
"""Seconds between two checks that both versions are alive."""
READ_EVERY = 10.0
"""Seconds between two readings of the counters: those of a server that ends are lost since the last one."""


def run_canary(target: Target, version: str, config: CanaryConfig, registry: str) -> Deployed:
    """Send a share of the traffic to a version, and promote it or roll it back by the tests of `assay.canary.judge`.

    `version`: full name in the registry. The same call does nothing if it serves already. Raise WithdrawnError with the
    verdict if it was rolled back, InputError if the target cannot divide its traffic, and as `Target.deploy`. Whatever
    is raised, the version from before serves all the traffic, unless the message states otherwise.
    """
    if not isinstance(target, CanaryTarget):
        raise InputError("this target has no canary of ours", where="canary_share", fix="Deploy without canary_share")
    watch, failure, done = Watch(version, config), None, None
    try:
        with target.canary(version, config.share) as trial:
            if isinstance(trial, Deployed):
                return trial
            # Raised inside the block, so that the target withdraws the version.
            watch.run(trial)
            if watch.promote:
                done = trial.promote()
    except BaseException as error:
        if not watch.begun:  # golden documents, a missing setting: no traffic was divided
            raise
        failure = error
        watch.stop(f"It was broken off: {str(error) or 'interrupted'}")
    serving, words = _now(target)
    verdict = watch.verdict("promoted" if done else "rolled back")
    what = f"{version} serves at {done.where}." if done else f"{words}."
    steps = (*watch.events, *(done.events if done else ()))
    current = Registry(registry).alias(CHAMPION)
    entry = Decision(
        version,
        "deployed" if done else "rolled back",
        current.version if current else "",
        done.version if done else serving,
        f"{verdict.sentence} Now {what}",
        steps,
    )
    kept = DecisionLog(registry).append(entry, lambda entry: render_html(canary_report(entry, verdict)))
    say(f"decision {kept.number}: {DecisionLog(registry).page_of(kept)}")
    if failure is not None and not isinstance(failure, InputError):
        raise failure
    if done is None:
        raise WithdrawnError(kept.sentence, version=version, serving=serving) from failure
    return done


def _now(target: Target) -> tuple[str, str]:
    """Return the version that serves and the state in words. The verdict is kept also if the target fails now."""
    try:
        now = target.status()
    except InputError as error:
        return "", f"it is unknown what serves: {error}"
    return now.version, now.words


@dataclass
class Watch:
    """The looks at one canary."""

    version: str
    config: CanaryConfig
    clock: Callable[[], float] = time.monotonic
    serving: str = ""
    share: float = 0.0
    unit: str = "request"
    begun: float = 0.0
    """Time at which the traffic was divided; 0 before."""
    promote: bool = False
    reason: str = ""
    looks: int = 0
    tests: tuple[Test, ...] = ()
    events: list[str] = field(default_factory=list)
    _old: Tally = field(default_factory=Tally)
    _new: Tally = field(default_factory=Tally)
    _ended: float = 0.0
    _next_reading: float = 0.0

    def run(self, trial: Canary) -> None:
        """Look until the decision is made. Raise EndedCanaryError if one of the versions ends."""
        self.serving, self.share, self.unit = trial.serving, trial.share, trial.unit
        self._read(trial)
        self.begun = self.clock()
        length = 60 * self.config.minutes
        while not self.reason:
            trial.check()
            passed = self.clock() - self.begun
            last = self.looks == self.config.looks - 1
            if passed < length * (self.looks + 1) / self.config.looks:
                if self.clock() >= self._next_reading:
                    self._read(trial)
                # A short canary, as in a test, is looked at more often.
                time.sleep(min(CHECK_EVERY, length / 50))
                continue
            self._read(trial)
            few = self._few()
            if last and few and self.config.few == "wait" and passed < 60 * self.config.longest_minutes:
                # The last look is put off: the number of looks, and so the error rate, stays as planned.
                time.sleep(min(CHECK_EVERY, length / 50))
                continue
            self._look(few, last=last)
        self._ended = self.clock()

    def stop(self, reason: str) -> None:
        """End without promotion."""
        self.promote, self.reason = False, reason
        self._ended = self._ended or self.clock()

    def verdict(self, outcome: str) -> Verdict:
        """Return the verdict."""
        return Verdict(
            self.version,
            self.serving,
            "promoted" if outcome == "promoted" else "rolled back",
            self.reason,
            self.config,
            self.share,
            self.unit,
            self._ended - self.begun,
            self.looks,
            self.tests,
            *self.traffic,
        )

    @property
    def traffic(self) -> tuple[Traffic, Traffic]:
        """What the serving and the new version answered so far."""
        return self._old.traffic, self._new.traffic

    def _read(self, trial: Canary) -> None:
        found = trial.read()
        self._old.add(found.serving)
        self._new.add(found.new)
        self._next_reading = self.clock() + READ_EVERY

    def _few(self) -> str:
        """Return what is missing before a promotion, or an empty text."""
        few = missing(*self.traffic, self.config)
        unseen = [test.sentence for test in judge(*self.traffic, self.config) if test.outcome == "open"]
        return few or " ".join(unseen)

    def _look(self, few: str, *, last: bool) -> None:
        old, new = self.traffic
        self.looks += 1
        self.tests = judge(old, new, self.config)
        broken = [test for test in self.tests if test.outcome == "broken"]
        state = ", ".join(test.name for test in broken) or "nothing"
        event = (
            f"look {self.looks} of {self.config.looks} after {self.clock() - self.begun:.0f} s: {new.requests:,} "
            f"requests and {new.documents:,} documents at the new version, {old.requests:,} and {old.documents:,} at "
            f"the serving one; {state} refuses it"
        )
        self.events.append(event)
        say(event)
        if broken:
            self.reason = " ".join(test.sentence for test in broken)
        elif last and few:
            self.reason = f"Too little traffic to decide: {few}"
        elif last:
            self.promote = True
            self.reason = f"It was not worse: {' '.join(test.sentence for test in self.tests)}"
