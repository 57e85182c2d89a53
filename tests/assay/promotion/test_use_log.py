"""The wear of a test set, counted by real processes, on a disk and on a local S3."""

import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from racing import run_at_once

from assay.errors import InputError
from assay.promotion import PromotionLimits, decisions, record_report
from assay.promotion.test_set import UseLog, digest_ids
from assay.storage import join, list_names, write_bytes

IDS = ["a", "b", "c"]
JANUARY = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)


@pytest.fixture(params=["disk", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "registry")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def test_uses_are_counted_once_for_the_same_two_models_and_age_from_the_first(url: str) -> None:
    log = UseLog(url, IDS)

    first = log.record("1", "0", now=JANUARY)
    again = log.record("1", "0", now=JANUARY + datetime.timedelta(days=1))
    other = UseLog(url, ["c", "a", "b", "b"]).record("2", "0", now=JANUARY + datetime.timedelta(days=10))
    grown = UseLog(url, [*IDS, "d"]).record("1", "0", now=JANUARY)

    assert (first.uses, first.days, first.documents, first.since) == (1, 0.0, 3, "2026-01-31T12:00:00+00:00")
    assert (again.uses, again.days) == (1, 1.0)
    assert (other.uses, other.days, other.since) == (2, 10.0, first.since)
    assert grown.uses == 2, "three of its documents have served twice"
    assert list_names(join(url, "test_sets", digest_ids(IDS))) == ["00000001.json", "00000002.json"]
    assert [(use.challenger, use.champion) for use in log.history()] == [("1", "0"), ("2", "0")]


def test_a_set_that_grows_keeps_its_wear_and_new_documents_lessen_it(tmp_path: Path) -> None:
    # Given twenty weeks, in each of which one document is added.
    ids = [f"old{n}" for n in range(200)]
    wears = []
    for week in range(20):
        ids = [*ids, f"new{week}"]
        log = UseLog(str(tmp_path), ids)
        wears.append(log.record(str(week), "0", now=JANUARY + datetime.timedelta(weeks=week)))

    assert [wear.uses for wear in wears[:3]] == [1, 2, 3]
    assert wears[-1].uses >= 19
    assert wears[-1].since == wears[0].since
    half = UseLog(str(tmp_path), [*ids[:200], *(f"fresh{n}" for n in range(300))])
    halved = half.record("x", "0", now=JANUARY + datetime.timedelta(weeks=21))
    assert 8 <= halved.uses <= 10
    assert halved.days == 0, "most of its documents are new"
    assert UseLog(str(tmp_path), ["other"]).record("x", "0", now=JANUARY).uses == 1


def test_documents_are_the_same_by_their_texts_whatever_their_ids(tmp_path: Path) -> None:
    UseLog(str(tmp_path), ["a", "b"], ["1" * 32, "2" * 32]).record("1", "0", now=JANUARY)

    renamed = UseLog(str(tmp_path), ["x", "y"], ["1" * 32, "2" * 32]).record("2", "0", now=JANUARY)

    assert renamed.uses == 2


def test_reports_wear_a_set_and_are_no_decisions(tmp_path: Path) -> None:
    registry = str(tmp_path / "registry")
    record_report(registry, "evaluate", ("1", ""), IDS, IDS)
    assert not (tmp_path / "registry").exists(), "there is no registry to count in"
    log = UseLog(registry, IDS)
    log.record("1", "0", now=JANUARY)
    for kind, models in (
        ("train", ("2", "")),
        ("evaluate", ("2", "")),
        ("compare", ("0", "1")),
        ("compare", ("2", "1")),
    ):
        record_report(registry, kind, models, IDS, IDS)

    wear = log.record("2", "0")

    assert wear.uses == 4, "the challenge of 1 by 0, the reports on 2, on 2 and 1, and this one"
    assert wear.decisions == 2, "the two challenges"
    assert [use.kind for use in log.history()] == ["challenge", "train", "evaluate", "compare", "compare", "challenge"]
    ((_, challenges),) = decisions(registry, []).items()
    assert [use.challenger for use in challenges] == ["1", "2"]


def test_the_decisions_of_a_year_are_those_by_the_rubric_on_any_documents(tmp_path: Path) -> None:
    def decide(challenger: str, ids: list[str], day: int, rubric: str = "education") -> int:
        when = JANUARY + datetime.timedelta(days=day)
        return UseLog(str(tmp_path), ids).record(challenger, "0", rubric=rubric, now=when).decisions

    assert decide("1", ["a"], 0) == 1
    assert decide("2", ["b"], 100) == 2
    assert decide("3", ["b"], 100, "legal") == 1
    assert decide("2", ["b"], 101) == 2, "the same again"
    assert decide("4", ["c"], 400) == 2, "the first one is over a year old"


def test_it_is_worn_out_past_either_limit(tmp_path: Path) -> None:
    log = UseLog(str(tmp_path), IDS)
    wears = [log.record(str(n), "x", now=JANUARY) for n in range(3)]
    limits = PromotionLimits(test_uses=2, test_days=30)

    assert [bool(wear.complaint(limits)) for wear in wears] == [False, False, True]
    assert "served 3 times, and 2 are allowed" in wears[2].complaint(limits)
    old = log.record("1", "x", now=JANUARY + datetime.timedelta(days=31))
    assert "served for 31 days, and 30 are allowed" in old.complaint(PromotionLimits(test_days=30))
    write_bytes(join(log.place, "00000004.json"), b"{}")
    with pytest.raises(InputError, match=r"this entry cannot be read.*00000004\.json"):
        log.history()


def test_a_number_that_was_lost_does_not_stop_the_count(tmp_path: Path) -> None:
    log = UseLog(str(tmp_path), IDS)
    for challenger in ("1", "2", "3"):
        log.record(challenger, "0", now=JANUARY)
    Path(join(log.place, "00000002.json")).unlink()

    assert log.record("4", "0", now=JANUARY).uses == 3
    assert list_names(log.place) == ["00000001.json", "00000003.json", "00000004.json"]


def _use(start: Barrier, url: str, name: str) -> None:
    start.wait()
    UseLog(url, IDS).record(name, "0")


def test_of_four_decisions_at_once_each_is_counted(url: str) -> None:
    run_at_once(_use, *[(url, f"p{n}") for n in range(4)])

    assert sorted(use.challenger for use in UseLog(url, IDS).history()) == ["p0", "p1", "p2", "p3"]
