"""Disputed documents go to another judge or to people, and come back checked."""

from pathlib import Path

import pandas as pd
import pytest

from assay.annotation.disputes import disputed, next_judge, read_from_people, write_to_people
from assay.annotation.raters import combine
from assay.errors import InputError

ANSWERS = pd.DataFrame(
    [
        ("agreed", "a", 0, 2.0),
        ("agreed", "b", 0, 2.0),
        ("apart", "a", 0, 0.0),
        ("apart", "b", 0, 5.0),
        ("near", "a", 0, 3.0),
        ("near", "b", 0, 4.0),
        ("repeats", "a", 0, 1.0),
        ("repeats", "a", 1, 3.0),
        ("once", "a", 0, 5.0),
        ("failed", "a", 0, float("nan")),
    ],
    columns=["id", "judge", "repeat", "grade"],
)
TEXTS = {"apart": "=SUM(A1)\r\nsecond line", "near": 'A text, with a comma\n\nand "quotes".', "007": "Ünïcode " * 9000}


def test_the_most_disputed_come_first() -> None:
    found = disputed(ANSWERS, 0, 5)

    assert found["id"].tolist() == ["apart", "repeats", "near", "agreed"]
    assert found["spread"].tolist() == [5, 2, 1, 0]
    assert found["answers"][0] == "a 0, b 5"
    pd.testing.assert_frame_equal(found, disputed(ANSWERS.sample(frac=1, random_state=1), 0, 5))


def test_another_judge_is_asked_within_the_budget() -> None:
    assert next_judge(ANSWERS, 0, 5, ["a", "b", "c"], budget=9).to_numpy().tolist() == [
        ["apart", "c"],
        ["repeats", "b"],
        ["near", "c"],
    ]
    assert next_judge(ANSWERS, 0, 5, ["a", "b", "c"], budget=1)["id"].tolist() == ["apart"]
    assert next_judge(ANSWERS, 0, 5, ["a", "b"], budget=9)["id"].tolist() == ["repeats"], "people decide the rest"
    assert next_judge(ANSWERS, 0, 5, ["c"], budget=9, least=2)["id"].tolist() == ["apart", "repeats"]
    assert next_judge(ANSWERS, 0, 5, ["c"], budget=0).empty


def test_labels_of_people_come_back(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_to_people(TEXTS, list(TEXTS), file)
    table = pd.read_csv(file, dtype=str, keep_default_na=False)

    assert "a 0" not in file.read_text(encoding="utf-8"), "people do not see what judges said"
    assert not table["text"].str.startswith("=").any(), "a formula is not run"
    table.loc[table["id"] == "apart", "label"] = "4"
    table.loc[table["id"] == "007", "label"] = " 2,5 "
    table["text"] = table["text"].str.replace("\r\n", "\n")  # as spreadsheets do
    table.sort_values("id").to_csv(file, index=False, encoding="utf-8-sig")

    found = read_from_people(file, 0, 5)

    assert found.set_index("id")["grade"].to_dict() == {"007": 2.5, "apart": 4.0}
    both = combine(pd.concat([ANSWERS, found]), 0, 5)
    assert {"007", "apart", "once"} <= set(both["id"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(label="6"), "outside 0 to 5"),
        (lambda t: t.assign(label="good"), "'good' is no number"),
        (lambda t: t.assign(label="nan"), "outside 0 to 5"),
        (lambda t: t.assign(label="3", text=t["text"].to_list()[::-1]), "not the one that was written"),
        (lambda t: pd.concat([t, t]).assign(label="3"), "occurs twice"),
        (lambda t: t, "no label is filled in"),
        (lambda t: t.drop(columns="mark"), "no column 'mark'"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(change, message: str, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_to_people(TEXTS, ["apart", "near"], file)
    change(pd.read_csv(file, dtype=str, keep_default_na=False)).to_csv(file, index=False)

    with pytest.raises(InputError, match=message):
        read_from_people(file, 0, 5)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_from_people(tmp_path / "none.csv", 0, 5)
