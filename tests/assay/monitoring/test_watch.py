"""Drift looks: calm if nothing changes, an alarm for each planted change, and the log of the looks."""

import datetime
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.errors import InputError
from assay.model import Profile
from assay.monitoring import STATISTICS, DriftLookLog, WatchConfig, compare
from assay.monitoring.watch import watch
from assay.monitoring.window import Window
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")
OFTEN = WatchConfig(every_hours=8_766, false_alarms_a_year=0.1, psi=0, ks=0, share=0)
"""One false alarm in ten looks is allowed, and every change matters, so that a test can count them."""
NOW = datetime.datetime(2026, 2, 1, 12, tzinfo=datetime.UTC)


def population(count: int, seed: int = 0, *, score: float = 0, length: float = 1, german: float = 0.05) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    scores = rng.normal(2 + score, 1, count)
    tokens = (np.exp(rng.normal(6, 1, count)) * length).astype(int) + 1
    others = [1 - german - 0.04, german, 0.03, 0.01]
    return pd.DataFrame(
        {
            "score": scores,
            "tokens": tokens,
            "read": np.minimum(1, 512 / tokens),
            "keep": scores >= 3,
            "language": rng.choice(["en", "de", "fr", ""], count, p=others),
        }
    )


def profile(table: pd.DataFrame) -> Profile:
    return Profile.of(RUBRIC, table)


def window(table: pd.DataFrame) -> Window:
    return Window(profile(table), "a window")


def false_alarms(config: WatchConfig, windows: int, documents: int) -> tuple[int, dict[str, int]]:
    """Return the looks with an alarm, and alarms by statistic, of windows drawn from the reference's documents."""
    drawn_from = population(1_000)
    reference, rng = profile(drawn_from), np.random.default_rng(1)
    looks, by_name = 0, dict.fromkeys(STATISTICS, 0)
    for _ in range(windows):
        found = compare(reference, profile(drawn_from.iloc[rng.integers(0, 1_000, documents)]), config)
        looks += found.alarm
        for name in found.alarms:
            by_name[name] += 1
    return looks, by_name


@pytest.mark.full
def test_a_thousand_windows_of_the_reference_raise_no_more_alarms_than_are_stated() -> None:
    looks, by_name = false_alarms(OFTEN, 1_000, 400)
    assert looks <= 1_000 * OFTEN.level_of_a_look
    for name, count in by_name.items():
        assert count <= 1_000 * OFTEN.level + 3 * np.sqrt(1_000 * OFTEN.level), name

    assert false_alarms(WatchConfig(), 1_000, 400)[0] == 0


def test_samples_of_one_population_raise_no_more_alarms_than_are_stated() -> None:
    alarms = 0
    for seed in range(150):
        a, b = population(150, 2 * seed), population(250, 2 * seed + 1)
        alarms += compare(profile(a), profile(b), OFTEN).alarm

    assert alarms <= 150 * OFTEN.level_of_a_look + 3 * np.sqrt(150 * OFTEN.level_of_a_look)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"score": 0.6}, {"score_psi", "score_ks", "share_kept"}),
        ({"length": 2.0}, {"length_psi", "length_ks", "share_truncated"}),
        ({"german": 0.3}, {"language"}),
    ],
)
def test_a_planted_change_raises_the_alarm_of_its_name(change: dict, names: set[str]) -> None:
    found = watch("a" * 12, profile(population(1_000)), window(population(800, 7, **change)), WatchConfig())

    assert set(found.comparison.alarms) == names
    assert found.alarm and found.act
    assert found.sentences[0].startswith("Something has changed: ")
    fields = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert fields["alarm"] is True
    assert {name for name, each in fields["statistics"].items() if each["alarm"]} == names


@pytest.mark.full
def test_a_change_that_is_certain_but_small_is_reported_without_an_alarm() -> None:
    reference, small = profile(population(60_000)), window(population(60_000, 7, score=0.1))

    found = watch("a" * 12, reference, small, WatchConfig())

    assert not found.alarm
    assert any("too small to matter: scores" in sentence for sentence in found.sentences)
    assert watch("a" * 12, reference, small, WatchConfig(ks=0.01)).alarm


def test_too_few_documents_are_refused() -> None:
    many, few = profile(population(500)), profile(population(40))

    with pytest.raises(InputError, match="the window has 40 scored documents, and needs 200"):
        compare(many, few, WatchConfig())
    with pytest.raises(InputError, match="the reference has 40 scored documents, and needs 50"):
        compare(few, many, WatchConfig())
    with pytest.raises(InputError, match="different scales"):
        compare(many, replace(many, high=9.0), WatchConfig())
    with pytest.raises(InputError, match="cannot be kept to"):
        WatchConfig(every_hours=1e-6, false_alarms_a_year=1e-3)
    with pytest.raises(InputError, match="psi is nan"):
        WatchConfig(psi=float("nan"))


def test_profiles_add_up_in_any_order_and_come_back_as_they_were_written(tmp_path: Path) -> None:
    table = population(300).astype({"keep": "boolean"}).assign(reason=None)
    table.loc[table.index[::10], ["score", "keep", "reason"]] = [np.nan, pd.NA, "no text"]
    whole = profile(table)

    assert whole.documents == 270
    assert Profile.sum(RUBRIC, [profile(table[:100]), profile(table[100:])]) == whole
    assert Profile.sum(RUBRIC, [profile(table[100:]), profile(table[:100])]) == whole
    whole.write(tmp_path)
    assert Profile.read(tmp_path) == whole
    (tmp_path / "reference.json").write_text(json.dumps({**whole.to_json(), "documents": 271}))
    with pytest.raises(InputError, match="do not add up to 271"):
        Profile.read(tmp_path)
    (tmp_path / "reference.json").unlink()
    with pytest.raises(InputError, match=r"no reference is kept with this model: reference\.json is missing"):
        Profile.read(tmp_path)


@pytest.mark.parametrize("kind", ["disk", pytest.param("s3", marks=pytest.mark.full)])
def test_an_alarm_is_acted_upon_once_while_it_cools_down(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    looks = DriftLookLog(str(tmp_path / "looks") if kind == "disk" else f"{request.getfixturevalue('s3')}/looks")
    reference, calm = profile(population(1_000)), window(population(800, 3))
    shifted = window(population(800, 7, german=0.4))

    def look(version: str, hours: float, of: Window = shifted) -> bool:
        now = NOW + datetime.timedelta(hours=hours)
        found = watch(version, reference, of, WatchConfig(), looks=looks, now=now)
        looks.append(found.look)
        return found.act

    assert not look("a", 0, calm)
    assert look("a", 1)
    assert not look("a", 2), "it cools down"
    assert look("b", 3), "another model"
    assert not look("a", 24.9)
    assert look("a", 25.1)
    history = looks.history()
    assert [each.number for each in history] == [1, 2, 3, 4, 5, 6]
    assert [bool(each.alarms) for each in history] == [False, True, True, True, True, True]
    assert looks.count_of_a_year(NOW + datetime.timedelta(hours=26)) == 6
    assert looks.count_of_a_year(NOW + datetime.timedelta(hours=8_766 + 2.5)) == 3


def test_looks_at_the_same_time_all_count(tmp_path: Path) -> None:
    looks = DriftLookLog(str(tmp_path))
    found = watch("a", profile(population(500)), window(population(300, 1)), WatchConfig(), looks=looks)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: looks.append(found.look), range(12)))

    assert sorted(look.number for look in made) == list(range(1, 13))
    assert looks.history() == sorted(made, key=lambda look: look.number)


def test_more_looks_than_planned_are_reported() -> None:
    config = WatchConfig(every_hours=8_766)
    found = watch("a", profile(population(500)), window(population(300, 1)), config)

    assert not any("more looks than planned" in sentence for sentence in found.sentences)
    assert any("more looks than planned" in sentence for sentence in replace(found, looks=3).sentences)


def test_an_old_look_that_is_damaged_does_not_end_the_watch(tmp_path: Path) -> None:
    log, reference = DriftLookLog(str(tmp_path)), profile(population(400))
    for hours in (50, 40, 30, 2):
        then = NOW - datetime.timedelta(hours=hours)
        log.append(watch("v", reference, window(population(400, 1)), WatchConfig(), looks=log, now=then).look)

    for number in (1, 2):
        (tmp_path / f"0000000{number}.json").write_text("{")
    assert watch("v", reference, window(population(400, 1)), WatchConfig(), looks=log, now=NOW).looks == 5
    skipped: list[str] = []
    assert [look.number for look in log.history(skipped=skipped)] == [3, 4] and len(skipped) == 2

    (tmp_path / "00000004.json").write_text("{")
    with pytest.raises(InputError, match=r"cannot be read.*00000004\.json.*Restore it, or remove it"):
        watch("v", reference, window(population(400, 1)), WatchConfig(), looks=log, now=NOW)
