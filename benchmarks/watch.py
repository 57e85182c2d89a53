"""Measure the watch: false alarms on windows of the reference, and power for planted changes.

    python -m benchmarks.watch [--windows 50] [--false-alarm-windows 1000]

No model or data is needed. Answers are drawn from a population like that of a service: normal scores, log-normal
lengths, a few languages. Prints the tables of RESULTS.md.
"""

import argparse
import time

import numpy as np
import pandas as pd

from assay.model import Profile
from assay.monitoring import STATISTICS, WatchConfig, compare, ks_seen_from
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")
SHIFTS: dict[str, dict[str, float]] = {
    "none": {},
    "scores + 0.1": {"score": 0.1},
    "scores + 0.25": {"score": 0.25},
    "scores + 0.5": {"score": 0.5},
    "scores spread by 1.5": {"spread": 1.5},
    "lengths × 1.25": {"length": 1.25},
    "lengths × 2": {"length": 2.0},
    "German 5 % → 10 %": {"german": 0.10},
    "German 5 % → 20 %": {"german": 0.20},
    "one document in five lost its end": {"cut": 0.2},
}
SIZES = ((100, 500), (1_000, 500), (1_000, 2_000), (20_000, 500), (20_000, 5_000))
"""Documents in the reference and in the window."""


def draw(
    count: int,
    rng: np.random.Generator,
    *,
    score: float = 0.0,
    spread: float = 1.0,
    length: float = 1.0,
    german: float = 0.05,
    cut: float = 0.0,
) -> pd.DataFrame:
    """Return answers to `count` documents of a population. Scores are in units of the label."""
    scores = 2 + score + spread * rng.normal(size=count)
    tokens = (np.exp(rng.normal(6, 1, count)) * length).astype(int) + 1
    tokens = np.where(rng.random(count) < cut, np.minimum(tokens, 128), tokens)
    return pd.DataFrame(
        {
            "score": scores,
            "tokens": tokens,
            "read": np.minimum(1, 512 / tokens),
            "keep": scores >= 3,
            "language": rng.choice(["en", "de", "fr", ""], count, p=[0.96 - german, german, 0.03, 0.01]),
        }
    )


def profile(table: pd.DataFrame) -> Profile:
    """Return the profile of a table of answers."""
    return Profile.of(RUBRIC, table)


def false_alarms(windows: int, rng: np.random.Generator) -> None:
    """Print the false alarms on windows of the documents of the reference, and on new windows with new references."""
    print(
        f"| windows | level of a look | allowed in {windows} | looks with an alarm | by statistic |\n"
        + "|---" * 5
        + "|"
    )
    any_change = {"psi": 0.0, "ks": 0.0, "share": 0.0}
    plans = {
        "hourly, 0.1 a year": WatchConfig(),
        "hourly, 0.1 a year, every change matters": WatchConfig(**any_change),
        "one look in ten, every change matters": WatchConfig(every_hours=8_766, false_alarms_a_year=0.1, **any_change),
    }
    known = draw(1_000, rng)
    reference = profile(known)
    for kind in ("of the reference", "of its population"):
        for name, config in plans.items():
            looks, by_name = 0, dict.fromkeys(STATISTICS, 0)
            for _ in range(windows):
                if kind == "of the reference":
                    window = known.iloc[rng.integers(0, len(known), 500)]
                else:
                    reference, window = profile(draw(1_000, rng)), draw(500, rng)
                found = compare(reference, profile(window), config)
                looks += found.alarm
                for alarm in found.alarms:
                    by_name[alarm] += 1
            level = config.level_of_a_look
            counts = ", ".join(f"{key} {count}" for key, count in by_name.items() if count) or "none"
            print(f"| {kind}; {name} | {level:.2g} | {windows * level:.2g} | {looks} | {counts} |")


def power(windows: int, rng: np.random.Generator) -> None:
    """Print the share of looks with an alarm, each with a new reference."""
    # Daily looks, since each alarm of an hourly plan needs a million shuffles for its certainty. The first rows of the
    # table show the difference.
    config = WatchConfig(every_hours=24)
    print("| change | " + " | ".join(f"{m:,} beside {n:,}" for m, n in SIZES) + " | mostly seen by |")
    print("|---" * (len(SIZES) + 2) + "|")
    for title, plan in (("hourly", WatchConfig()), ("daily", config)):
        distances = " | ".join(f"{ks_seen_from(m, n, plan.level):.3f}" for m, n in SIZES)
        print(f"| KS distance beyond chance, {title} | {distances} | |")
    for name, change in SHIFTS.items():
        cells, by_name = [], dict.fromkeys(STATISTICS, 0)
        for m, n in SIZES:
            alarms = 0
            for _ in range(windows):
                found = compare(profile(draw(m, rng)), profile(draw(n, rng, **change)), config)
                alarms += found.alarm
                for alarm in found.alarms:
                    by_name[alarm] += 1
            cells.append(f"{alarms / windows:.0%}")
        most = max(by_name.values())
        seen = ", ".join(key for key, count in by_name.items() if count and count >= 0.9 * most) or "–"
        print(f"| {name} | " + " | ".join(cells) + f" | {seen} |", flush=True)


def cost(rng: np.random.Generator) -> None:
    """Print the seconds of one look."""
    known = profile(draw(20_000, rng))
    for name, change in (("calm", {}), ("an alarm", {"score": 0.5, "length": 2.0, "german": 0.2})):
        window = profile(draw(5_000, rng, **change))
        started = time.monotonic()
        compare(known, window, WatchConfig())
        print(f"one look, {name}: {time.monotonic() - started:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=50, help="windows in a cell of the table of power")
    parser.add_argument("--false-alarm-windows", type=int, default=1_000)
    options = parser.parse_args()
    false_alarms(options.false_alarm_windows, np.random.default_rng(0))
    print()
    power(options.windows, np.random.default_rng(1))
    print()
    cost(np.random.default_rng(2))


if __name__ == "__main__":
    main()
