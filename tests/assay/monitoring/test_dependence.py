"""Documents that come site by site are worth fewer than they are, and raise no alarm while nothing changes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from assay.errors import InputError
from assay.model import Profile
from assay.monitoring import Arrivals, TooFewError, WatchConfig, compare
from assay.rubric import load_rubric

RUBRIC, HOURLY = load_rubric("education"), WatchConfig()


def answers(generator: np.random.Generator, count: int, site: int, shift: float = 0.0) -> pd.DataFrame:
    """`site` documents of each site after each other, which are alike in score and length."""

    def alike() -> np.ndarray:
        common = np.repeat(generator.normal(size=count // site + 1), site)[:count]
        return np.sqrt(0.6) * common + np.sqrt(0.4) * generator.normal(size=count)

    scores, tokens = 2 + shift + alike(), np.exp(6 + alike()).astype(int) + 1
    keep = scores >= 3
    return pd.DataFrame(
        {"score": scores, "tokens": tokens, "read": np.minimum(1, 512 / tokens), "keep": keep, "language": "en"}
    )


def profile(table: pd.DataFrame) -> Profile:
    arrivals = Arrivals(["en"])
    for start in range(0, len(table), 300):  # as from several files
        arrivals.add(table.iloc[start : start + 300])
    return replace(Profile.of(RUBRIC, table), worth=arrivals.worth(HOURLY.level))


@pytest.mark.parametrize(("count", "site"), [(500, 20), (1_000, 50)])
def test_traffic_that_comes_site_by_site_raises_no_alarm(count: int, site: int) -> None:
    generator, alarms, unaware = np.random.default_rng(0), 0, 0
    for _ in range(25):
        reference, window = Profile.of(RUBRIC, answers(generator, 1_000, 1)), profile(answers(generator, count, site))
        assert window.independent < count / 4
        if count == 500:
            unaware += compare(reference, replace(window, worth=None), WatchConfig(every_hours=720)).alarm
        try:
            alarms += compare(reference, window, HOURLY).alarm
        except TooFewError as error:
            assert "50 are needed for a promise on false alarms" in str(error)
    assert alarms == 0  # 1 in 88,000 is allowed
    assert unaware >= 3 or count > 500  # the fault that this mends, with a looser plan, which needs fewer shuffles


def test_independent_documents_lose_little_and_changes_are_found() -> None:
    generator = np.random.default_rng(1)
    for count in (500, 5_000):
        worth = [profile(answers(generator, count, 1)).independent for _ in range(12)]
        assert 0.35 * count < np.median(worth) <= count
    reference = Profile.of(RUBRIC, answers(generator, 1_000, 1))
    found = compare(reference, profile(answers(generator, 4_000, 20, shift=1.0)), WatchConfig(every_hours=24))
    assert {"score_psi", "share_kept"} <= set(found.alarms)
    assert found.to_json()["worth"] < 1_000


def test_one_run_is_worth_nothing_and_is_refused() -> None:
    generator = np.random.default_rng(2)
    reference = Profile.of(RUBRIC, answers(generator, 1_000, 1))
    two_halves = answers(generator, 600, 300)
    window = profile(two_halves)

    assert window.independent == 0
    with pytest.raises(TooFewError, match="600 documents of the window come in runs of one kind that are too long"):
        compare(reference, window, HOURLY)
    with pytest.raises(InputError, match="of the reference come in runs"):
        compare(window, reference, HOURLY)
    assert profile(two_halves[:5]).independent == 0
    assert Arrivals().worth(0.01) == 0
    constant = two_halves.assign(score=1.0, tokens=100, read=1.0, keep=False)
    assert profile(constant).independent == 600


def test_the_worth_does_not_depend_on_how_documents_are_read() -> None:
    table = answers(np.random.default_rng(3), 25_000, 20)
    whole, split = Arrivals(["en"]), Arrivals(["en"])
    whole.add(table)
    for start in range(0, len(table), 777):
        split.add(table.iloc[start : start + 777])
    assert split.worth(1e-6) == pytest.approx(whole.worth(1e-6))
    unscored = pd.concat([table.assign(reason=None), table.head(50).assign(reason="no text")])
    again = Arrivals(["en"])
    again.add(unscored)
    assert again.worth(1e-6) == pytest.approx(whole.worth(1e-6))
