"""Promotion and rollback by real processes, on a disk and on a local S3."""

from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from racing import CONTEXT, run_at_once

from assay.errors import InputError
from assay.registry import CHAMPION, PREVIOUS, AliasMove, Registry, promote, promote_first, rollback


@pytest.fixture(params=["disk", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "registry")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def registered(registry: Registry, folder: Path, *contents: str) -> list[str]:
    names = []
    for content in contents:
        (folder / content).mkdir()
        (folder / content / "weights").write_text(content)
        names.append(registry.register(folder / content, {}).name)
    return names


def named_by(registry: Registry, alias: str) -> str:
    move = registry.alias(alias)
    return move.version if move else ""


def test_a_promotion_keeps_who_why_and_on_what_evidence(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    one, two, three = registered(registry, tmp_path, "1", "2", "3")
    promote_first(registry, one, [], who="ci")

    promote(registry, two, against=one, who="anna", why="better", evidence={"verdict": "v.json"})
    again = promote(registry, two, against=one, who="anna", why="the same call again")
    promote(registry, three[:8], against=two, who="ben", why="better still")

    assert [(m.version, m.previous, m.who, m.why) for m in registry.history(CHAMPION)] == [
        (one, "", "ci", "the first version of this registry"),
        (two, one, "anna", "better"),
        (three, two, "ben", "better still"),
    ]
    assert again.evidence == {"verdict": "v.json"}
    assert [move.version for move in registry.history(PREVIOUS)] == [one, two]
    assert registry.get("previous").name == two
    assert "better still" in registry.history(PREVIOUS)[-1].why


def test_a_second_rollback_changes_nothing_and_never_brings_the_bad_one_back(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    zero, good, bad = registered(registry, tmp_path, "0", "good", "bad")
    promote(registry, zero, against="", who="x", why="first")
    with pytest.raises(InputError, match="nothing served before"):
        rollback(registry, who="x", why="none there")
    promote(registry, good, against=zero, who="x", why="better")
    promote(registry, bad, against=good, who="x", why="better on paper")

    first = rollback(registry, who="x", why="it times out", of=bad)
    second = rollback(registry, who="x", why="it times out", of=bad)
    third = rollback(registry, who="x", why="once more")

    assert first == second == third
    assert (first.version, first.evidence, first.why) == (good, {"rolled back": bad}, "it times out")
    assert named_by(registry, PREVIOUS) == good
    promote(registry, bad, against=good, who="x", why="mended the machine")
    assert rollback(registry, who="x", why="again", of=zero).version == bad  # not the one to be rolled back
    assert rollback(registry, who="x", why="again").version == good


def test_what_was_decided_against_another_champion_does_not_win(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    one, two, three = registered(registry, tmp_path, "1", "2", "3")
    with pytest.raises(InputError, match=f"nothing is champion now, and this was decided against {one}"):
        promote(registry, two, against=one, who="x", why="y")
    promote(registry, one, against="", who="x", why="y")
    promote(registry, two, against=one, who="x", why="y")

    with pytest.raises(InputError, match=f"{two} is champion now, and this was decided against {one}"):
        promote(registry, three, against=one, who="x", why="y")
    with pytest.raises(InputError, match="a name and a reason"):
        promote(registry, three, against=two, who="x", why=" ")

    assert named_by(registry, CHAMPION) == two


def test_a_process_that_died_between_the_two_logs_is_made_good(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    one, two, three = registered(registry, tmp_path, "1", "2", "3")
    promote(registry, one, against="", who="x", why="y")
    promote(registry, two, against=one, who="x", why="y")
    current = registry.alias(CHAMPION)
    # What `promote` does first, and nothing after it.
    registry.move_alias(CHAMPION, three, who="dead", why="y", evidence={}, after=current, previous=two)
    assert named_by(registry, PREVIOUS) == one

    assert rollback(registry, who="x", why="y").version == two
    assert named_by(registry, PREVIOUS) == two
    assert registry.history(PREVIOUS)[-1].who == "dead"


def test_an_old_entry_that_is_damaged_stops_nobody_and_the_last_one_everybody(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    one, two, three = registered(registry, tmp_path, "1", "2", "3")
    promote(registry, one, against="", who="x", why="y")
    promote(registry, two, against=one, who="x", why="y")
    log = tmp_path / "registry/aliases/champion"
    (log / "00000001.json").write_text("{")

    assert promote(registry, three, against=two, who="x", why="y").version == three
    assert rollback(registry, who="x", why="y").version == two
    skipped: list[str] = []
    assert [move.version for move in registry.history(CHAMPION, skipped)] == [two, three, two]
    assert len(skipped) == 1 and "00000001.json" in skipped[0]
    (log / "00000004.json").write_text('{"version": 3}')
    for move in (lambda: promote(registry, one, against=two, who="x", why="y"), lambda: registry.get("champion")):
        with pytest.raises(InputError, match=r"this entry cannot be read.*00000004\.json"):
            move()


def _race(start: Barrier, url: str, what: str, against: str, won: "list") -> None:
    registry = Registry(url)
    start.wait()
    try:
        if what == "rollback":
            won.append(rollback(registry, who="rollback", why="a race").version)
        else:
            promote(registry, what, against=against, who=what, why="a race")
            won.append(what)
    except InputError as error:
        assert "meanwhile" in str(error) or "is champion now" in str(error)


def race(url: str, against: str, *asked: str) -> list[str]:
    """Return the promotions (by version) and rollbacks that succeeded, of those that processes tried at once."""
    with CONTEXT.Manager() as manager:
        won = manager.list()
        run_at_once(_race, *[(url, what, against, won) for what in asked])
        return list(won)


def test_of_six_who_promote_at_once_exactly_one_wins(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    champion, *challengers = registered(registry, tmp_path, *"0123456")
    promote(registry, champion, against="", who="x", why="first")

    won = race(url, champion, *challengers)

    assert len(won) == 1
    assert [move.version for move in registry.history(CHAMPION)] == [champion, *won]
    assert [move.version for move in registry.history(PREVIOUS)] == [champion]


def test_rollbacks_at_once_agree_and_a_promotion_beside_them_leaves_no_doubt(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    one, two, three = registered(registry, tmp_path, "1", "2", "3")
    promote(registry, one, against="", who="x", why="first")
    promote(registry, two, against=one, who="x", why="better")

    won = race(url, two, "rollback", "rollback", "rollback", three)

    moves = registry.history(CHAMPION)
    assert [move.version for move in moves[:2]] == [one, two]
    if moves[2].version == three:  # then some who rolled back may have come after it, and rolled it back
        assert three in won
        assert [move.version for move in moves[3:]] in ([], [two])
        assert named_by(registry, PREVIOUS) == two
    else:
        assert set(won) == {one}
        assert [move.version for move in moves[2:]] == [one]
        assert named_by(registry, PREVIOUS) == one


class Interrupted(Registry):
    """Before its `number`-th reading of an alias a process promotes a third version, and dies before it moves
    `previous`."""

    def __init__(self, url: str, number: int, third: str) -> None:
        super().__init__(url)
        self.number, self.third, self.promoted = number, third, False

    def alias(self, name: str) -> AliasMove | None:
        self.number -= 1
        if self.number == 0:
            current = super().alias(CHAMPION)
            self.move_alias(
                CHAMPION, self.third, who="dead", why="y", evidence={}, after=current, previous=current.version
            )
            self.promoted = True
        return super().alias(name)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_promotion_at_any_moment_of_a_rollback_never_brings_back_more_than_one_version(
    number: int, tmp_path: Path
) -> None:
    url = str(tmp_path / "registry")
    one, two, three = registered(Registry(url), tmp_path, "1", "2", "3")
    promote(Registry(url), one, against="", who="x", why="first")
    promote(Registry(url), two, against=one, who="x", why="better")
    registry = Interrupted(url, number, three)

    try:
        assert rollback(registry, who="x", why="bad").version == (two if registry.promoted else one)
    except InputError as error:
        assert "meanwhile" in str(error)
        assert named_by(registry, CHAMPION) == three


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.integers(0, 2), st.just("rollback")), max_size=10))
def test_previous_is_what_served_before_the_last_promotion(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | str]
) -> None:
    folder = tmp_path_factory.mktemp("property")
    registry = Registry(str(folder / "registry"))
    names = registered(registry, folder, "0", "1", "2")
    champion = previous = ""

    for step in steps:
        if isinstance(step, int):
            promote(registry, names[step], against=champion, who="x", why="y")
            if names[step] != champion:
                champion, previous = names[step], champion
        elif previous:
            champion = rollback(registry, who="x", why="y").version
            assert champion == previous
        else:
            with pytest.raises(InputError):
                rollback(registry, who="x", why="y")
        assert (named_by(registry, CHAMPION), named_by(registry, PREVIOUS)) == (champion, previous)
