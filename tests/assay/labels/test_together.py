"""Sets of several rubrics: no text trains in one set and measures in another."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from assay.dedup import near_duplicate_clusters, text_digest
from assay.labels import (
    LabelledSet,
    Ledger,
    PreparedSplit,
    SplitAssignment,
    SplitConfig,
    SplitSet,
    part_of,
    split_documents,
    split_together,
    validate,
    write_seen,
)
from assay.labels.parts import read_seen
from assay.rubric import Rubric
from assay.storage import write_snapshot
from assay.training.run import training_documents

RUBRICS = [Rubric("quality", 0, 5, 3), Rubric("legal", 0, 3, 2), Rubric("fun", 0, 4, 2)]


def text_of(number: int) -> str:
    """A text of 40 words that resembles no other."""
    draw = np.random.default_rng(number)
    return " ".join(f"word{number}" for number in draw.integers(0, 100_000, 40))


def nearly(text: str) -> str:
    return text + " more"


def labelled(
    folder: Path, rubric: Rubric, texts: list[str], *, ids: list[str] | None = None, groups: list[str] | None = None
) -> LabelledSet:
    draw = np.random.default_rng(len(texts))
    names = ids or [f"{rubric.name}-{n}" for n in range(len(texts))]
    table = {"id": names, "text": texts, "label": draw.integers(rubric.low, rubric.high + 1, len(texts)).astype(float)}
    if groups:
        table["group"] = groups
    snapshot = write_snapshot(folder / rubric.name, pa.table(table).to_batches(), provenance={})
    return LabelledSet(rubric, snapshot, validate(snapshot, rubric).documents)


def tables(sets: list[LabelledSet], made: list[PreparedSplit]) -> pd.DataFrame:
    """Every document of every set: `set`, `id`, `text`, `group`, `part`."""
    found = []
    for each, split in zip(sets, made, strict=True):
        SplitAssignment.validate(split.assignment)
        table = each.documents.merge(split.assignment, on="id", validate="one_to_one")
        found.append(table.assign(set=each.rubric.name, text=each.snapshot.take(table["row"])))
        assert len(table) == len(each.documents)
    return pd.concat(found, ignore_index=True)


def straddling(table: pd.DataFrame, unit: object) -> set[object]:
    """Units with a document in train and one in calibration or test, whatever their sets."""
    table = table.assign(unit=unit)
    train = set(table.loc[table["part"] == "train", "unit"])
    return train & set(table.loc[table["part"].isin(["calibration", "test"]), "unit"])


@pytest.fixture
def overlapping(tmp_path: Path) -> list[LabelledSet]:
    """Three sets that share texts, near-duplicates and groups, under other ids."""
    own = [[text_of(1000 * n + m) for m in range(100)] for n in range(3)]
    both = own[0][:60] + [nearly(text) for text in own[0][60:80]] + own[1]
    third = own[2] + own[1][:20] + [nearly(text) for text in own[0][:20]]
    groups = [[f"site{m % 70}" if m % 3 else "" for m in range(len(texts))] for texts in (own[0], both, third)]
    return [
        labelled(tmp_path, rubric, texts, groups=names)
        for rubric, texts, names in zip(RUBRICS, (own[0], both, third), groups, strict=True)
    ]


@pytest.mark.parametrize("with_ledger", [False, True])
def test_no_text_near_duplicate_or_group_trains_in_one_set_and_measures_in_another(
    overlapping: list[LabelledSet], tmp_path: Path, with_ledger: bool
) -> None:
    ledger = Ledger(str(tmp_path / "ledger")) if with_ledger else None
    alone = [
        split_documents(s.snapshot, s.documents, s.rubric, ledger=None, config=SplitConfig(seed=4)) for s in overlapping
    ]
    apart = tables(overlapping, alone)
    assert straddling(apart, [text_digest(text) for text in apart["text"]]), "each on its own, they leak"

    table = tables(overlapping, split_together(overlapping, ledger=ledger, config=SplitConfig(seed=4)))

    assert not straddling(table, [text_digest(text) for text in table["text"]])
    assert not straddling(table, near_duplicate_clusters(table["text"].tolist(), progress=False))
    named = table[table["group"].notna() & (table["group"] != "")]
    assert not straddling(named, named["group"])
    counts = table.groupby("set")["part"].value_counts().unstack()
    assert (counts[["train", "calibration", "test"]] > 0).all().all()
    if ledger:
        again = tables(overlapping, split_together(overlapping, ledger=ledger, config=SplitConfig(seed=9)))
        pd.testing.assert_series_equal(again["part"], table["part"])


def test_the_same_texts_in_every_set_have_the_same_parts(tmp_path: Path) -> None:
    texts = [text_of(n) for n in range(200)]
    sets = [labelled(tmp_path, rubric, texts) for rubric in RUBRICS]

    table = tables(sets, split_together(sets, ledger=None, config=SplitConfig()))

    assert (table.groupby("text")["part"].nunique() == 1).all()
    assert set(table["part"]) == {"train", "calibration", "test"}


def test_a_single_set_and_unrelated_sets_are_split_as_by_split_documents(tmp_path: Path) -> None:
    sets = [labelled(tmp_path, rubric, [text_of(1000 * n + m) for m in range(80)]) for n, rubric in enumerate(RUBRICS)]
    alone = [split_documents(s.snapshot, s.documents, s.rubric, ledger=None, config=SplitConfig()) for s in sets]

    for together in (
        [split_together([one], ledger=None, config=SplitConfig())[0] for one in sets],
        split_together(sets, ledger=None, config=SplitConfig()),
    ):
        for one, other in zip(alone, together, strict=True):
            pd.testing.assert_frame_equal(one.assignment, other.assignment)
            assert one.leakage == other.leakage


def test_if_ledger_entries_contradict_each_other_no_text_trains_and_measures(tmp_path: Path) -> None:
    texts = [text_of(n) for n in range(120)]
    first, second = labelled(tmp_path, RUBRICS[0], texts), labelled(tmp_path, RUBRICS[1], texts)
    ledger = Ledger(str(tmp_path / "ledger"))
    for each, seed in ((first, 1), (second, 2)):  # each without the other, and recorded without marks
        alone = split_documents(each.snapshot, each.documents, each.rubric, ledger=None, config=SplitConfig(seed=seed))
        ledger.append(alone.assignment, ledger.read())
    before = ledger.read()

    made = split_together([first, second], ledger=ledger, config=SplitConfig())

    table = tables([first, second], made)
    assert not straddling(table, table["text"])
    aside = table[table["part"] == "set_aside"]
    assert len(aside) > 10
    used = table[table["part"] != "set_aside"]
    assert (used.groupby("text")["part"].nunique() == 1).all(), "nor calibrates one rubric and measures another"
    assert {before[id] for id in aside["id"]} == {"train", "calibration"}
    kept = table.set_index("id")["part"]
    assert all(kept[id] == part for id, part in before.items() if part == "test" or id not in set(aside["id"]))
    assert any("the ledger has it in train, and" in sentence for one in made for sentence in one.sentences())
    assert ledger.read() == before


def test_a_set_that_is_split_later_follows_the_parts_that_the_ledger_gave_to_its_texts(tmp_path: Path) -> None:
    texts = [text_of(n) for n in range(120)]
    first, second = (
        labelled(tmp_path, RUBRICS[0], texts),
        labelled(tmp_path, RUBRICS[1], [nearly(one) for one in texts]),
    )
    ledger = Ledger(str(tmp_path / "ledger"))

    one, other = (
        split_documents(each.snapshot, each.documents, each.rubric, ledger=ledger, config=SplitConfig(seed=seed))
        for each, seed in ((first, 1), (second, 2))
    )

    assert one.assignment["part"].tolist() == other.assignment["part"].tolist()


def test_training_is_on_the_union_and_texts_that_fitted_any_rubric_are_recorded(tmp_path: Path) -> None:
    texts = [text_of(n) for n in range(150)]
    plain = [labelled(tmp_path, RUBRICS[0], texts[:100]), labelled(tmp_path, RUBRICS[1], texts[50:])]
    made = split_together(plain, ledger=None, config=SplitConfig())
    sets = [
        SplitSet(each.rubric, each.snapshot, each.documents, split.assignment)
        for each, split in zip(plain, made, strict=True)
    ]

    learned, labels, _ = training_documents(sets)

    assert len(learned) == len(set(learned))
    assert labels.shape == (len(learned), 2)
    for column, each in enumerate(sets):
        part = part_of(each.documents, each.assignment, "train")
        expected = dict(zip(each.snapshot.take(part["row"]), part["label"], strict=True))
        assert {
            text: label for text, label in zip(learned, labels[:, column], strict=True) if label == label
        } == expected
    assert (~np.isnan(labels)).all(axis=1).any(), "some text is in both"

    write_seen(tmp_path, *sets)
    seen = read_seen(tmp_path)
    assert {seen[text_digest(text)] for text in learned} == {"train"}
    table = tables(plain, made)
    fitted = table[table["part"].isin(["train", "calibration"])]
    assert set(seen) == {text_digest(text) for text in fitted["text"]}
