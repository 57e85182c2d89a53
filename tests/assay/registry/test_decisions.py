"""The log of decisions: each has a page, none is lost if several are written at once, a damaged one is named."""

import json
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from racing import run_at_once

from assay.errors import InputError
from assay.registry import Decision, DecisionLog

MADE = Decision("a" * 12, "kept", "b" * 12, "b" * 12, "It was no better.", ("judged",))


def decide(start: Barrier, url: str, name: str, times: int) -> None:
    start.wait()
    for number in range(times):
        decision = Decision(name, "kept", "", "", f"{number}")
        DecisionLog(url).append(decision, lambda entry: f"page of {entry.version} {entry.sentence}")


def test_a_decision_is_read_as_it_was_made_and_has_a_page(tmp_path: Path) -> None:
    log = DecisionLog(str(tmp_path))

    kept = log.append(MADE, lambda entry: f"<p>{entry.number}: {entry.sentence}</p>")

    assert (kept.number, kept.events) == (1, ("judged",))
    assert kept.when.endswith("+00:00")
    assert log.history() == [kept]
    assert Path(log.page_of(kept)).read_text() == "<p>1: It was no better.</p>"
    assert str(kept) == "kept: It was no better."


def test_decisions_written_at_once_are_all_kept_each_with_its_page(tmp_path: Path) -> None:
    run_at_once(decide, *[(str(tmp_path), f"worker {n}", 4) for n in range(4)])

    log = DecisionLog(str(tmp_path))
    found = log.history()
    assert sorted((each.version, each.sentence) for each in found) == [
        (f"worker {n}", str(number)) for n in range(4) for number in range(4)
    ]
    assert all(Path(log.page_of(each)).read_text() == f"page of {each.version} {each.sentence}" for each in found)


def test_a_process_that_died_between_page_and_entry_leaves_its_number_unused(tmp_path: Path) -> None:
    log = DecisionLog(str(tmp_path))
    (tmp_path / "decisions").mkdir()
    (tmp_path / "decisions" / "00000001.html").write_text("a page without an entry")

    kept = log.append(MADE, lambda entry: "page")

    assert kept.number == 2
    assert log.history() == [kept]


def test_an_entry_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    log = DecisionLog(str(tmp_path))
    log.append(MADE, lambda entry: "page")
    (tmp_path / "decisions" / "00000001.json").write_text("{")

    with pytest.raises(InputError, match=r"this decision cannot be read.*00000001\.json"):
        log.history()


def test_the_bytes_of_a_decision(tmp_path: Path) -> None:
    kept = DecisionLog(str(tmp_path)).append(replace(MADE, sentence="Not better: – 1 %."), lambda entry: "page")

    expected = {
        "version": "a" * 12,
        "outcome": "kept",
        "champion": "b" * 12,
        "serving": "b" * 12,
        "sentence": "Not better: – 1 %.",
        "events": ["judged"],
        "when": kept.when,
    }
    stored = (tmp_path / "decisions" / "00000001.json").read_text(encoding="utf-8")
    assert stored == json.dumps(expected, indent=2, ensure_ascii=False)
