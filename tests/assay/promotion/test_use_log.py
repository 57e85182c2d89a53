"""The wear of a test set, counted by real processes, on a disk and on a local S3."""

import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from racing import run_at_once

from assay.errors import InputError
from assay.promotion import PromotionLimits
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
    elsewhere = UseLog(url, [*IDS, "d"]).record("1", "0", now=JANUARY)

    assert (first.uses, first.days, first.documents, first.since) == (1, 0.0, 3, "2026-01-31T12:00:00+00:00")
    assert (again.uses, again.days) == (1, 1.0)
    assert (other.uses, other.days, other.since) == (2, 10.0, first.since)
    assert elsewhere.uses == 1
    assert list_names(join(url, "test_sets", digest_ids(IDS))) == ["00000001.json", "00000002.json"]
    assert [(use.challenger, use.champion) for use in log.history()] == [("1", "0"), ("2", "0")]


def test_it_is_worn_out_past_either_limit(tmp_path: Path) -> None:
    log = UseLog(str(tmp_path), IDS)
    wears = [log.record(str(n), "0", now=JANUARY) for n in range(3)]
    limits = PromotionLimits(test_uses=2, test_days=30)

    assert [bool(wear.complaint(limits)) for wear in wears] == [False, False, True]
    assert "served 3 decisions, and 2 are allowed" in wears[2].complaint(limits)
    assert "probability of up to 7%" in wears[2].complaint(limits)
    old = log.record("1", "0", now=JANUARY + datetime.timedelta(days=31))
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
