"""Rubrics: the built-in ones load, damaged ones give the reason, and labels alone give a scale."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.rubric import Rubric, builtin_rubrics, load_rubric, rubric_from_labels


def test_every_builtin_rubric_loads() -> None:
    assert "education" in builtin_rubrics()
    for name in builtin_rubrics():
        rubric = load_rubric(name)
        assert rubric.name == name
        assert len(rubric.text) > 200


def test_a_file_is_a_rubric_and_its_threshold_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text("---\nname: mine\nlow: 0\nhigh: 100\nthreshold: 60\n---\n# Mine\n\nHow good is it?\n")

    assert load_rubric(str(path)) == Rubric("mine", 0, 100, 60, text="# Mine\n\nHow good is it?")
    assert load_rubric(str(path), threshold=75).threshold == 75


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("# No head", "no YAML head"),
        ("---\nname: x\n---\n", "cannot be read"),
        ("---\nname: x\nlow: 0\nhigh: 5\nthreshold: 9\n---\n", "outside the scale"),
        ("---\nname: x\nlow: 5\nhigh: 5\nthreshold: 5\n---\n", "no room"),
        ("---\nname: x\nlow: 0\nhigh: 5\nthreshold: 3\ncolour: red\n---\n", "cannot be read"),
    ],
)
def test_a_damaged_rubric_gives_the_reason(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "broken.md"
    path.write_text(content)
    with pytest.raises(InputError, match=complaint):
        load_rubric(str(path))


def test_labels_alone_give_a_scale() -> None:
    assert rubric_from_labels([0, 1, 1, 0]) == Rubric("from-labels", 0, 1, 1)
    assert rubric_from_labels([0.0, 1.0, 2.0, 1.0]).threshold == 2
    assert rubric_from_labels([-2.0, 7.5]).grades == range(-2, 9)
    assert rubric_from_labels([1, 2, 3], threshold=2).threshold == 2
    with pytest.raises(InputError, match="all 3 labels"):
        rubric_from_labels([4, 4, 4])
