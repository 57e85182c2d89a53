"""The numbered log: one writer for one number, on a disk and on a local S3, by threads and by processes."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from racing import CONTEXT, run_at_once

from assay.errors import InputError
from assay.storage import NumberedFiles, NumberedLog, create, join, list_names, only_known_fields, write_bytes

NOON = "2026-01-31T12:00:00+00:00"


@only_known_fields
@dataclass(frozen=True)
class Entry:
    """An entry of the tests."""

    writer: str
    when: str = NOON
    number: int = 0


@dataclass(frozen=True)
class Plain:
    """An entry without a number and without a time."""

    word: str


@pytest.fixture(params=["disk", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "log")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}/log"


def test_an_empty_log_has_no_last_entry_and_its_first_number_is_1(url: str) -> None:
    log = NumberedLog(url, Entry)

    assert (log.numbers(), log.last(), log.history(), log.next_number()) == ([], None, [], 1)


def test_entries_come_back_with_the_number_of_their_file(url: str) -> None:
    log = NumberedLog(url, Entry)

    made = [log.append(lambda number, name=name: Entry(name, number=number)) for name in "abc"]

    assert [(entry.writer, entry.number) for entry in made] == [("a", 1), ("b", 2), ("c", 3)]
    assert log.history() == made
    assert log.history(most=2) == made[1:]
    assert log.last() == made[-1]
    assert list_names(url) == ["00000001.json", "00000002.json", "00000003.json"]


def test_the_bytes_of_an_entry(tmp_path: Path) -> None:
    log, other = NumberedLog(str(tmp_path), Entry), NumberedLog(str(tmp_path), Plain, ensure_ascii=False)

    log.create(1, Entry("Zoë", number=1))
    other.create(2, Plain("Zoë"))

    assert (tmp_path / "00000001.json").read_bytes() == f'{{\n  "writer": "Zo\\u00eb",\n  "when": "{NOON}"\n}}'.encode()
    assert (tmp_path / "00000002.json").read_bytes() == '{\n  "word": "Zoë"\n}'.encode()
    assert other.last() == Plain("Zoë")


def test_a_number_is_written_once(url: str) -> None:
    log = NumberedLog(url, Entry)
    log.create(1, Entry("first"))

    with pytest.raises(FileExistsError):
        log.create(1, Entry("second"))

    assert [entry.writer for entry in log.history()] == ["first"]


def test_a_number_is_not_used_again_if_its_entry_was_lost_or_only_another_file_has_it(tmp_path: Path) -> None:
    log = NumberedLog(str(tmp_path), Entry)
    for name in "abc":
        log.append(lambda number, name=name: Entry(name, number=number))
    (tmp_path / "00000002.json").unlink()
    create(log.place(4, "html"), b"a page without an entry")
    (tmp_path / "5.json").write_text("{}")
    (tmp_path / "notes.json").write_text("{}")

    assert log.append(lambda number: Entry("d", number=number)).number == 5
    assert log.numbers() == [1, 3, 5]
    assert log.numbers("html") == [4]


def test_append_calls_make_again_until_a_number_is_free(tmp_path: Path) -> None:
    log, asked = NumberedLog(str(tmp_path), Entry), []

    def overtaken(number: int) -> Entry:
        asked.append(number)
        if number < 4:
            log.create(number, Entry("faster"))
        return Entry("slow", number=number)

    assert log.append(overtaken).number == 4
    assert asked == [1, 2, 3, 4]

    def never(number: int) -> Entry:
        log.create(number, Entry("faster"))
        return Entry("slow", number=number)

    with pytest.raises(InputError, match=r"others write faster to this log: 20 numbers .*Try again"):
        log.append(never)
    assert log.next_number() == 25


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "this entry cannot be read: Expecting property name"),
        (b"\xff", "this entry cannot be read: 'utf-8' codec"),
        (b"[]", "this entry cannot be read: input should be an object"),
        (b"{}", "this entry cannot be read: writer: field required"),
        (b'{"writer": 3}', "this entry cannot be read: writer: input should be a valid string"),
        (b'{"writer": "a", "more": 1}', "this entry cannot be read: more: unexpected keyword argument"),
        (b'{"writer": "a", "when": "2026-01-31"}', "this entry cannot be read: its time has no time zone"),
        (b'{"writer": "a", "when": "yesterday"}', "this entry cannot be read: Invalid isoformat string"),
    ],
)
def test_a_damaged_entry_is_named_or_skipped_and_never_the_last_one(url: str, data: bytes, message: str) -> None:
    log = NumberedLog(url, Entry)
    log.create(1, Entry("good"))
    write_bytes(log.place(2), data)
    skipped: list[str] = []

    with pytest.raises(InputError, match=message) as refused:
        log.history()
    with pytest.raises(InputError, match=message):
        log.last()

    assert "00000002.json). Restore it" in str(refused.value)
    assert [entry.writer for entry in log.history(skipped=skipped)] == ["good"]
    assert skipped == [str(refused.value)]


def test_a_missing_entry_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"this look is missing .*00000007\.json\). Run it again"):
        NumberedLog(str(tmp_path), Entry, what="this look", fix="Run it again").read(7)


def test_files_of_another_kind_are_numbered_too(url: str) -> None:
    files = NumberedFiles(url)
    files.write(1, b"rows", "parquet")

    with pytest.raises(FileExistsError):
        files.write(1, b"other rows", "parquet")

    assert files.place(1, "parquet") == join(url, "00000001.parquet")
    assert (files.numbers("parquet"), files.next_number()) == ([1], 2)


def test_threads_that_append_at_once_lose_nothing(url: str) -> None:
    log = NumberedLog(url, Entry)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda name: log.append(lambda number: Entry(str(name), number=number)), range(12)))

    assert sorted(entry.number for entry in made) == list(range(1, 13))
    assert log.history() == sorted(made, key=lambda entry: entry.number)


def _append(start: Barrier, url: str, writer: str, times: int) -> None:
    start.wait()
    for _ in range(times):
        NumberedLog(url, Entry).append(lambda number: Entry(writer, number=number))


def _create(start: Barrier, url: str, writer: str, won: "list") -> None:
    start.wait()
    try:
        NumberedLog(url, Entry).create(1, Entry(writer))
        won.append(writer)
    except FileExistsError:
        pass


def test_processes_that_append_at_once_lose_nothing(url: str) -> None:
    run_at_once(_append, *[(url, f"p{n}", 4) for n in range(3)])

    entries = NumberedLog(url, Entry).history()
    assert [entry.number for entry in entries] == list(range(1, 13))
    assert sorted(entry.writer for entry in entries) == [f"p{n}" for n in range(3) for _ in range(4)]


def test_of_processes_that_create_one_number_exactly_one_succeeds(url: str) -> None:
    with CONTEXT.Manager() as manager:
        won = manager.list()
        run_at_once(_create, *[(url, f"p{n}", won) for n in range(4)])
        assert len(won) == 1
        assert [entry.writer for entry in NumberedLog(url, Entry).history()] == list(won)


STEPS = st.lists(st.one_of(st.just("append"), st.just("page"), st.integers(1, 8)), max_size=20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_lost_no_number_is_given_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | int]
) -> None:
    """Steps append an entry, write a page alone, or lose the entry of a number. The newest entry is never lost."""
    log = NumberedLog(str(tmp_path_factory.mktemp("log")), Entry)
    entries: dict[int, Entry] = {}
    highest = 0

    for step in steps:
        if step == "append":
            made = log.append(lambda number: Entry("x", number=number))
            assert made.number == highest + 1
            highest, entries[made.number] = made.number, made
        elif step == "page":
            highest = log.next_number()
            log.write(highest, b"page", "html")
        elif step in entries and step != highest:
            del entries[step]
            Path(log.place(step)).unlink()

    assert log.history() == [entries[number] for number in sorted(entries)]
    for number in entries:
        assert set(json.loads(Path(log.place(number)).read_bytes())) == {"writer", "when"}
