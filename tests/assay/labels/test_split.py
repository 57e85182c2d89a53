"""The split: whole units, target sizes, permanent parts, independent of the order of the rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import InputError
from assay.labels import Ledger, SplitAssignment, SplitConfig, join_units
from assay.labels.split import split

PARTS = ["train", "calibration", "test"]


def documents(n: int, seed: int = 0, *, groups: bool = True) -> pd.DataFrame:
    """Documents with clusters and groups of one to about four, and skewed labels."""
    draw = np.random.default_rng(seed)
    named = draw.random(n) < 0.3 if groups else np.zeros(n, bool)
    return pd.DataFrame(
        {
            "id": [f"doc-{seed}-{i:05d}" for i in draw.permutation(n)],
            "label": draw.choice([0.0, 1.0, 2.0, 2.5, 3.0, 4.0], n, p=[0.15, 0.4, 0.2, 0.05, 0.15, 0.05]),
            "cluster": draw.integers(0, n, n),
            "group": [f"site{i}" if name else None for i, name in zip(draw.integers(0, n, n), named, strict=True)],
        }
    )


def divide(rows: pd.DataFrame, **settings: Any) -> Any:
    keep = settings.pop("keep", rows["label"] >= 2.5)
    return split(
        rows["id"].tolist(),
        rows["label"].tolist(),
        rows["cluster"].tolist(),
        rows["group"].tolist(),
        keep=keep,
        **settings,
    )


def parts(result: Any) -> dict[str, str]:
    return dict(zip(result.assignment["id"], result.assignment["part"], strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(60, 300))
def test_no_cluster_and_no_group_is_in_two_parts(seed: int, n: int) -> None:
    rows = documents(n, seed)

    table = rows.merge(divide(rows).assignment, on="id", suffixes=("", "_unit"))

    assert len(table) == n
    for column in ("cluster", "group", "cluster_unit"):
        assert (table.groupby(column)["part"].nunique() == 1).all()
    assert (table.groupby("cluster")["cluster_unit"].nunique() == 1).all()
    assert set(table["part"]) == set(PARTS)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(seed: int, draw: Any) -> None:
    rows = documents(150, seed)
    shuffled = rows.iloc[draw.sample(range(150), 150)].reset_index(drop=True)
    # Clusters are numbered by their first rows: other rows, other numbers.
    shuffled["cluster"] = shuffled.groupby("cluster")["cluster"].transform(lambda part: part.index[0])

    straight, other = divide(rows), divide(shuffled)

    assert other.assignment["id"].tolist() == shuffled["id"].tolist()
    pd.testing.assert_frame_equal(
        straight.assignment.sort_values("id", ignore_index=True), other.assignment.sort_values("id", ignore_index=True)
    )
    pd.testing.assert_frame_equal(straight.balance, other.balance)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(100, 250), st.lists(st.integers(1, 100), min_size=1, max_size=3))
def test_more_data_never_move_a_document(seed: int, n: int, more: list[int]) -> None:
    everything = documents(n + sum(more), seed)
    known: dict[str, str] = {}
    for size in np.cumsum([n, *more]):
        result = divide(everything.iloc[:size], known=known, config=SplitConfig(seed=size))
        now = parts(result)
        aside = set(result.set_aside["id"]) & set(known)
        assert {name: now[name] for name in known if name not in aside} == {
            name: part for name, part in known.items() if name not in aside
        }
        assert result.kept == len(known) - len(aside)
        assert result.kept + result.new + len(result.set_aside) == size
        assert "test" not in {known[name] for name in aside}
        # No unit of the documents in use is in two parts, and no cluster or group of them is.
        used = everything.merge(result.assignment[result.assignment["part"] != "set_aside"], on="id")
        for column in ("cluster_y", "cluster_x", "group"):
            assert (used.groupby(column)["part"].nunique() == 1).all()
        known |= {name: part for name, part in now.items() if part != "set_aside"}


def test_sizes_and_labels_meet_their_targets_if_units_are_small() -> None:
    rows = documents(3000, groups=False)

    result = divide(rows, config=SplitConfig(test=0.15, calibration=0.25))

    shares = result.assignment["part"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.002)
    assert shares["calibration"] == pytest.approx(0.25, abs=0.002)
    assert shares["test"] == pytest.approx(0.15, abs=0.002)
    np.testing.assert_allclose(result.balance["share"], result.balance["overall"], atol=0.005)


def test_units_of_all_sizes_are_in_every_part() -> None:
    number = np.arange(3000)
    rows = documents(3000, groups=False).assign(cluster=np.where(number % 2, number // 10, 5000 + number))

    table = divide(rows).assignment

    table["size"] = table.groupby("cluster")["id"].transform("size")
    large = table.loc[table["size"] == 5, "part"].value_counts(normalize=True)
    assert large["test"] == pytest.approx(0.2, abs=0.02)
    assert large["train"] == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_a_unit_larger_than_the_test_share_goes_to_training(seed: int) -> None:
    rows = documents(400, seed, groups=False).assign(cluster=lambda t: np.where(t.index < 100, 10_000, t.index))

    result = divide(rows, config=SplitConfig(seed=seed))

    assert set(result.assignment["part"][:100]) == {"train"}
    assert result.assignment["part"].value_counts()["test"] == pytest.approx(80, abs=3)


def test_the_seed_draws_another_split() -> None:
    rows = documents(200)

    assert parts(divide(rows)) == parts(divide(rows))
    assert parts(divide(rows)) != parts(divide(rows, config=SplitConfig(seed=1)))


def test_the_table_conforms_to_its_schema() -> None:
    assignment = divide(documents(100)).assignment

    SplitAssignment.validate(assignment)
    assert list(assignment.columns) == ["id", "part", "cluster"]


# The ledger and bridges


@pytest.fixture
def grown(tmp_path: Any) -> tuple[pd.DataFrame, dict[str, str], str, str]:
    """80 recorded documents, each its own unit, and the ids of one in training and one in test."""
    rows = documents(80, groups=False).assign(cluster=range(80))
    ledger = Ledger(str(tmp_path))
    ledger.append(divide(rows).assignment, {})
    known = ledger.read()
    trained, tested = (next(name for name in rows["id"] if known[name] == part) for part in ("train", "test"))
    return rows, known, trained, tested


def extended(rows: pd.DataFrame, joins: dict[str, list[str]]) -> pd.DataFrame:
    """New documents, each in the same cluster as the named ones."""
    rows = rows.copy()
    for number, (new, others) in enumerate(joins.items()):
        rows.loc[rows["id"].isin(others), "cluster"] = 1000 + number
        rows.loc[len(rows)] = {"id": new, "label": 1.0, "cluster": 1000 + number, "group": None}
    return rows


def test_a_new_member_follows_the_part_of_its_unit(grown: Any) -> None:
    rows, known, trained, tested = grown

    result = divide(extended(rows, {"new-a": [trained], "new-b": [tested]}), known=known)

    assert parts(result) == known | {"new-a": "train", "new-b": "test"}
    assert (result.new, result.kept) == (2, 80)


def test_a_document_that_links_two_parts_is_set_aside_and_named(grown: Any, tmp_path: Any) -> None:
    rows, known, trained, tested = grown
    rows = extended(rows, {"bridge": [trained, tested]})

    result = divide(rows, known=known)

    assert parts(result) == known | {"bridge": "set_aside", trained: "set_aside"}
    assert dict(result.set_aside[["id", "reason"]].itertuples(index=False)) == {
        "bridge": "it links documents of train and test",
        trained: "the ledger has it in train, and a near-duplicate or a document of its group in test",
    }
    units = result.assignment.set_index("id")["cluster"]
    assert units[tested] not in set(units[[trained, "bridge"]])

    ledger = Ledger(str(tmp_path))
    ledger.append(result.assignment, known)
    assert "bridge" not in ledger.read()


def test_groups_that_are_added_later_leave_no_group_on_both_sides() -> None:
    rows = documents(400, groups=False).assign(cluster=range(400))
    known = parts(divide(rows))
    rows["group"] = [f"site{number % 150}" for number in range(400)]

    result = divide(rows, known=known)

    table = rows.merge(result.assignment, on="id")
    assert rows.assign(part=rows["id"].map(known)).groupby("group")["part"].nunique().gt(1).mean() > 0.5
    assert (table[table["part"] != "set_aside"].groupby("group")["part"].nunique() == 1).all()
    tested = {name for name, part in known.items() if part == "test"}
    assert {name for name, part in parts(result).items() if part == "test"} == tested, "the test part stays whole"
    assert result.kept + len(result.set_aside) == 400
    reasons = set(result.set_aside["reason"])
    assert reasons == {
        f"the ledger has it in {one}, and a near-duplicate or a document of its group in {other}"
        for one, other in (("train", "calibration"), ("train", "test"), ("calibration", "test"))
    }
    rows["group"] = [f"site{number % 5}" for number in range(400)]
    with pytest.raises(InputError, match="Start a new ledger with these groups"):
        divide(rows, known=known)


def test_a_new_document_that_links_two_parts_costs_no_other_of_its_group(grown: Any) -> None:
    rows, known, _, tested = grown
    site = [name for name, part in known.items() if part == "train"][:10]
    rows.loc[rows["id"].isin(site), "group"] = "one site"
    rows = extended(rows, {"bridge": [tested]})
    rows.loc[rows["id"] == "bridge", "group"] = "one site"

    assert parts(divide(rows, known=known)) == known | {"bridge": "set_aside"}


def test_a_document_that_was_set_aside_is_used_once_it_links_nothing(grown: Any) -> None:
    rows, known, trained, tested = grown
    rows = extended(rows, {"bridge": [trained, tested]})

    result = divide(rows[rows["id"] != tested], known=known)

    assert parts(result)["bridge"] == "train"


def test_a_group_links_as_a_cluster_does(grown: Any) -> None:
    rows, known, _, tested = grown
    rows = extended(rows, {"new": []})
    rows.loc[rows["id"].isin(["new", tested]), "group"] = "one site"

    assert parts(divide(rows, known=known))["new"] == "test"


# Units


def test_units_are_the_components_of_clusters_and_groups() -> None:
    clusters = [7, 7, 3, 5, 5, 9, 8]
    groups = [None, "a", "a", "", "b", float("nan"), "b"]

    assert join_units(clusters, groups).tolist() == [0, 0, 0, 1, 1, 2, 1]
    assert join_units(clusters).tolist() == [0, 0, 1, 2, 2, 3, 4]
    assert join_units(clusters, [None] * 7).tolist() == [0, 0, 1, 2, 2, 3, 4]
    assert join_units(clusters, pd.Series(groups, dtype="str")).tolist() == [0, 0, 0, 1, 1, 2, 1]


# What is refused


@pytest.mark.parametrize(
    "setting",
    [{"test": 0.0}, {"test": 1.0}, {"calibration": -0.1}, {"test": float("nan")}, {"test": 0.5, "calibration": 0.5}],
)
def test_invalid_shares_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(InputError, match="split"):
        SplitConfig(**setting)


@pytest.mark.parametrize(
    ("labels", "clusters", "keep", "message"),
    [
        ([], [], None, "no documents"),
        ([1, 2], [0, 1], None, "would be empty"),
        ([1] * 50 + [4], range(51), None, "all 10 in calibration have label 1"),
        ([1] * 50 + [4], range(51), [False] * 50 + [True], "none of the 10 in calibration reaches the threshold"),
        ([1, 2] * 50, range(100), [True] * 100, "in train is below the threshold"),
        ([1, 2] * 50, [0] * 100, None, "calibration would be empty"),
        ([1, 2], [0], None, "1 values for 2 documents"),
        ([1, float("nan")], [0, 1], None, "label nan"),
    ],
)
def test_unusable_tables_are_refused_with_a_message(labels: Any, clusters: Any, keep: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split([f"{i:03d}" for i in range(len(labels))], labels, list(clusters), keep=keep)


def test_an_id_that_occurs_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'x' occurs more than once"):
        split(["x", "y", "x"], [1, 2, 3], [0, 1, 2])


def test_labels_of_one_level_are_split_too() -> None:
    result = split([str(i) for i in range(50)], [2] * 50, range(50))  # nothing to balance, and nothing one-sided

    assert result.balance["level"].unique().tolist() == [2.0]


def test_fractional_labels_are_balanced_as_the_nearest_level_and_copies_are_counted() -> None:
    labels = [0.0, 0.4, 0.5, 1.2, 1.9, 2.0] * 50

    result = split([f"{i:03d}" for i in range(300)], labels, range(300), copies=[2] * 300, levels=[0, 1, 2])

    totals = result.balance.groupby("level")[["documents", "rows"]].sum()
    assert totals["documents"].tolist() == [100, 100, 100]
    assert totals["rows"].tolist() == [200, 200, 200]
