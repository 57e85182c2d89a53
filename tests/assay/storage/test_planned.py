"""Folders of planned results: made once, opened again as they were, and listed for what is missing."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from assay.errors import InputError
from assay.storage import PlannedFolder, deal, deal_runs, digest_json


@dataclass(frozen=True)
class Plan:
    parts: tuple[str, ...]
    size: int = 3

    @property
    def key(self) -> str:
        return digest_json(self.to_json())[:16]

    def to_json(self) -> dict[str, Any]:
        return {"format": 1, **asdict(self)}


class Folder(PlannedFolder[Plan]):
    plan_type: ClassVar[type[Any]] = Plan
    plan_name: ClassVar[str] = "_plan.json"
    indent: ClassVar[int] = 2
    results: ClassVar[str] = "parts"
    fix: ClassVar[str] = "Plan it"


def test_a_folder_is_made_once_and_opened_with_its_plan(tmp_path: Path) -> None:
    plan = Plan(("a", "b"))
    made = Folder.create(str(tmp_path), plan)
    file = tmp_path / plan.key / "_plan.json"
    assert file.read_text() == json.dumps(plan.to_json(), indent=2)
    before = file.stat().st_mtime_ns

    assert Folder.create(str(tmp_path), plan) == made == Folder.open(made.url)
    assert file.stat().st_mtime_ns == before


def test_absent_results_are_listed_in_order(tmp_path: Path) -> None:
    made = Folder.create(str(tmp_path), Plan(("a", "b", "c")))
    Path(made.place("b.parquet")).write_text("")

    assert made.absent(made.plan.parts, lambda part: f"{part}.parquet") == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "this plan cannot be read: Expecting property name"),
        ("[]", "this plan cannot be read: input should be an object"),
        ('{"size": 3}', "this plan cannot be read: parts: field required"),
        ('{"parts": ["a"], "size": "x"}', "this plan cannot be read: size: input should be a valid integer"),
    ],
)
def test_a_damaged_plan_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "_plan.json").write_text(text)
    with pytest.raises(InputError, match=complaint) as raised:
        Folder.open(str(tmp_path))
    assert f"({tmp_path}/_plan.json)" in str(raised.value)


def test_a_plan_that_was_edited_is_refused(tmp_path: Path) -> None:
    made = Folder.create(str(tmp_path), Plan(("a", "b")))
    place = Path(made.place("_plan.json"))
    place.write_text(place.read_text().replace('"size": 3', '"size": 4'))

    with pytest.raises(InputError, match="this plan is not what was written"):
        Folder.open(made.url)


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no parts here: _plan\.json is missing .*Plan it"):
        Folder.open(str(tmp_path / "none"))


def test_work_is_dealt_out_in_shares_that_are_never_empty() -> None:
    work = list(range(7))

    assert [len(share) for share in deal(work, 3)] == [3, 2, 2]
    assert sorted(item for share in deal(work, 3) for item in share) == work
    assert deal(work[:2], 5) == [[0], [1]]
    assert deal([], 5) == []
    with pytest.raises(InputError, match="0 workers"):
        deal(work, 0)


def test_runs_are_neighbours_of_the_same_sizes() -> None:
    assert deal_runs(list(range(7)), 3) == [[0, 1, 2], [3, 4], [5, 6]]
    assert deal_runs([0, 1], 5) == [[0], [1]]
    assert deal_runs([], 5) == []
    with pytest.raises(InputError, match="0 workers"):
        deal_runs([1], 0)
