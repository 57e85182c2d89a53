"""The judgement of a canary: a version like the serving one is rarely rolled back, and a worse one is seen."""

import numpy as np
import pytest
from scipy.stats import binom

from assay.canary.judge import Test as Result
from assay.canary.judge import judge, missing
from assay.canary.traffic import Traffic
from assay.deployment import CanaryConfig
from assay.serving.metrics import SECONDS

EDGES = (*SECONDS, float("inf"))
CONFIG = CanaryConfig(share=0.5, looks=5)


def answered(
    rng: np.random.Generator, requests: int, *, failing: float = 0.0, slower: float = 1.0, chance: float = 0.1
):
    """Return the traffic of requests of 1 to 8 documents, which are alike within a request."""
    size = rng.integers(1, 9, requests)
    own = rng.beta(20 * chance, 20 * (1 - chance), requests)  # documents of a request resemble each other
    kept = rng.binomial(size, own)
    times = rng.lognormal(np.log(0.04), 0.5, requests) * slower
    p_keep = np.repeat(own, size)
    return Traffic(
        requests=requests,
        failed=int(rng.binomial(requests, failing)),
        edges=EDGES,
        seconds=tuple(np.histogram(times, [0.0, *EDGES])[0].tolist()),
        answered=requests,
        documents=int(size.sum()),
        kept=int(kept.sum()),
        squares=(float((size**2).sum()), float((size * kept).sum()), float((kept**2).sum())),
        p_keep=tuple(np.histogram(p_keep, np.linspace(0, 1, 21))[0].tolist()),
    )


def broken(tests: tuple[Result, ...]) -> set[str]:
    return {test.name for test in tests if test.outcome == "broken"}


def joined(one: Traffic, more: Traffic) -> Traffic:
    """Return both traffics as one: what a later look sees."""
    both = {
        name: getattr(one, name) + getattr(more, name)
        for name in ("requests", "failed", "answered", "documents", "kept")
    }
    added = {
        name: tuple(np.add(getattr(one, name), getattr(more, name)).tolist())
        for name in ("seconds", "squares", "p_keep")
    }
    return Traffic(edges=EDGES, **both, **added)


def test_versions_that_are_alike_are_rolled_back_in_at_most_the_stated_share() -> None:
    rng, alarms, runs = np.random.default_rng(0), 0, 300
    # The limits are off: the error rate alone is promised, and they would hide it.
    strict = CanaryConfig(share=0.5, looks=5, errors=0.0, slower=1.0, kept=0.0, p_keep=0.0)
    for _ in range(runs):
        old, new = (answered(rng, 200, failing=0.02) for _ in range(2))
        for look in range(strict.looks):
            if look:
                old, new = (joined(each, answered(rng, 200, failing=0.02)) for each in (old, new))
            if broken(judge(old, new, strict)):
                alarms += 1
                break
    assert alarms <= binom.ppf(0.999, runs, strict.false_alarm)


@pytest.mark.parametrize(
    ("change", "test"),
    [
        ({"failing": 0.1}, "errors"),
        ({"slower": 5.0}, "latency"),
        ({"chance": 0.3}, "kept"),
        ({"chance": 0.5}, "p_keep"),
    ],
)
def test_a_worse_version_is_seen_in_a_thousand_requests(change: dict[str, float], test: str) -> None:
    rng = np.random.default_rng(1)

    found = [test in broken(judge(answered(rng, 1000), answered(rng, 1000, **change), CONFIG)) for _ in range(20)]

    assert sum(found) >= 19


def test_a_change_within_its_limit_is_kept_however_certain_it_is() -> None:
    rng = np.random.default_rng(2)
    old, new = answered(rng, 20_000, failing=0.001), answered(rng, 20_000, failing=0.006)

    tests = judge(old, new, CONFIG)

    assert broken(tests) == set()
    assert tests[0].p < CONFIG.level


def test_too_few_documents_decide_nothing() -> None:
    rng = np.random.default_rng(3)
    few = answered(rng, 20)

    assert "needs 500" in missing(answered(rng, 500), few, CONFIG)
    assert next(test for test in judge(answered(rng, 500), few, CONFIG) if test.name == "latency").outcome != "broken"
