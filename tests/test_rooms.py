"""What `make test-fast` chooses."""

from pathlib import Path

import pytest
import rooms

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (["assay/selection/select.py"], ["tests/assay/selection"]),
        (["assay/selection/select.py", "tests/assay/selection/test_selection.py"], ["tests/assay/selection"]),
        (["assay/sources/warc.py"], ["tests/assay/bad_input/test_sources.py", "tests/assay/sources"]),
        (["tests/assay/bad_input/test_disks.py"], ["tests/assay/bad_input/test_disks.py"]),
        (["assay/tracking.py"], ["tests/assay/test_tracking.py"]),
        (["tasks/score.py", "workflows/corpus.py"], ["tests/tasks", "tests/workflows"]),
        (["README.md", "assay/errors.py", "tests/assay/selection/test_gone.py"], []),
    ],
)
def test_the_tests_of_changed_files_are_chosen(
    changed: list[str], tests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "changed", lambda: changed)

    assert rooms.main([]) == sorted([*tests, rooms.STRUCTURE])


def test_every_room_can_be_named() -> None:
    for path in (ROOT / "assay").glob("*/__init__.py"):
        assert all((ROOT / test).exists() for test in rooms.main([path.parent.name]))
    with pytest.raises(SystemExit, match=r"no room 'attic'\. Name one of: annotation, audit, "):
        rooms.main(["attic"])
