"""What a model has seen is left out of a measurement: by its bytes, nearly, by group, and what hangs on it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from assay.dedup import text_digest
from assay.errors import InputError
from assay.gates import leak_elsewhere
from assay.labels import LabelledSet, SplitSet, validate, write_seen
from assay.labels.parts import MARKS, known_before, read_marks, read_seen, read_test_digests
from assay.labels.unseen import find_unseen
from assay.rubric import Rubric
from assay.storage import write_snapshot

RUBRIC = Rubric("mine", 0, 5, 3)


def text_of(number: int) -> str:
    return " ".join(f"word{number}" for number in np.random.default_rng(number).integers(0, 100_000, 60))


def nearly(text: str, more: str = "more") -> str:
    return f"{text} {more}"


def labelled(folder: Path, texts: list[str], groups: list[str] | None = None) -> LabelledSet:
    table = {"id": [f"{folder.name}-{n}" for n in range(len(texts))], "text": texts}
    table |= {"label": np.arange(len(texts)) % 6 * 1.0, "group": groups or [""] * len(texts)}
    snapshot = write_snapshot(folder, pa.table(table).to_batches(), provenance={})
    return LabelledSet(RUBRIC, snapshot, validate(snapshot, RUBRIC).documents)


def made_of(folder: Path, parts: dict[str, list[str]], groups: dict[str, str], *, encoder: str = "") -> Path:
    """A model folder with the record of what a model was made of: texts by part, and groups of texts."""
    texts = [text for of_part in parts.values() for text in of_part]
    given = labelled(folder / "snapshot", texts, [groups.get(text, "") for text in texts])
    assignment = pd.DataFrame({"id": given.documents["id"], "part": [p for p, of in parts.items() for _ in of]})
    assignment["cluster"] = range(len(texts))
    write_seen(folder, SplitSet(RUBRIC, given.snapshot, given.documents, assignment), encoder=encoder)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    parts = {
        "train": [text_of(n) for n in range(40)],
        "calibration": [text_of(n) for n in range(40, 60)],
        "test": [text_of(n) for n in range(60, 80)],
        "set_aside": [text_of(n) for n in range(80, 90)],
    }
    return made_of(tmp_path / "model", parts, {text_of(0): "site-a", text_of(60): "site-t"})


def test_all_that_hangs_on_what_the_model_has_seen_is_left_out(model: Path, tmp_path: Path) -> None:
    rows = {
        "learned": (text_of(1), ""),
        "calibrated": (text_of(41), ""),
        "near learned": (nearly(text_of(2)), ""),
        "near calibrated": (nearly(text_of(42)), ""),
        "aside": (text_of(80), ""),
        "near aside": (nearly(text_of(81)), ""),
        "same group": (text_of(200), "site-a"),
        "near one of the same group": (nearly(text_of(200)), ""),
        "group of a near learned one": (text_of(201), "site-b"),
        "itself near": (nearly(text_of(3)), "site-b"),
        "measured": (text_of(60), ""),
        "near measured": (nearly(text_of(61)), ""),
        "group of measured": (text_of(202), "site-t"),
        "new": (text_of(203), "site-n"),
        "near new": (nearly(text_of(203)), ""),
    }
    given = labelled(tmp_path / "data", *(list(column) for column in zip(*rows.values(), strict=True)))

    found = find_unseen(given.snapshot, given.documents, [model])

    names = np.array(list(rows))
    stays = {names[int(identity.rpartition("-")[2])] for identity in found.part["id"]}
    assert stays == {"measured", "near measured", "group of measured", "new", "near new"}
    assert found.left_out == 10
    assert found.seen == [10]
    assert found.reasons == {"text": 2, "set_aside": 1, "near": 4, "group": 1, "unit": 2}
    assert found.unmarked == [0]
    (sentence,) = found.sentences()
    assert sentence.startswith("left out 10 of 15 documents because of the model: 2 the same text as one that it")
    assert "4 a near-duplicate of one of these" in sentence
    verdict = leak_elsewhere(found)
    assert verdict.passed
    assert verdict.figures["measured on"] == 5
    assert verdict.figures["left out: a near-duplicate of one of these"] == 4


def test_not_one_near_duplicate_of_a_training_text_counts_as_unseen(tmp_path: Path) -> None:
    texts = [text_of(n) for n in range(81)]
    model = made_of(tmp_path / "model", {"train": texts}, {})
    fresh = [text_of(n) for n in range(500, 600)]
    given = labelled(tmp_path / "data", [nearly(text, "in other words") for text in texts] + fresh)

    found = find_unseen(given.snapshot, given.documents, [model])

    assert found.reasons["near"] == 81
    assert len(found.part) == 100


def test_two_models_leave_out_what_either_has_seen(model: Path, tmp_path: Path) -> None:
    other = made_of(tmp_path / "other", {"train": [text_of(n) for n in range(300, 310)]}, {})
    given = labelled(tmp_path / "data", [nearly(text_of(1)), nearly(text_of(300)), nearly(text_of(301)), text_of(400)])

    found = find_unseen(given.snapshot, given.documents, [model, other])

    assert found.seen == [1, 2]
    assert found.left_out == 3


def test_a_model_of_an_earlier_release_is_compared_by_bytes_and_says_so(model: Path, tmp_path: Path) -> None:
    (model / MARKS).unlink()
    given = labelled(tmp_path / "data", [text_of(1), nearly(text_of(2)), text_of(400)])

    found = find_unseen(given.snapshot, given.documents, [model])

    assert found.left_out == 1
    assert found.unmarked == [60]
    assert "of 60 documents that it was fitted to, only the same bytes are recognised" in found.sentences()[1]
    assert leak_elsewhere(found).passed is None
    assert read_test_digests(model) == []


def test_the_record_holds_no_text_and_continues_that_of_the_encoder(model: Path, tmp_path: Path) -> None:
    again = made_of(
        tmp_path / "again", {"train": [text_of(900)], "test": [text_of(1), text_of(85)]}, {}, encoder=str(model)
    )

    known = read_marks(again)
    assert set(known.table["id"]) == set(read_seen(model)) | {text_digest(text_of(900))}
    assert known.unmarked == 0
    assert set(known.table["part"]) == {"train", "calibration"}, "what an earlier split set aside is free again"
    assert read_test_digests(again) == [text_digest(text_of(85))], "a text that the encoder learned measures nothing"
    assert len(known_before(str(again))) == 61
    assert len(known_before("OWNER/NAME")) == 0
    assert b"word" not in (model / MARKS).read_bytes()
    assert b"site-a" not in (model / MARKS).read_bytes()


def test_a_damaged_record_is_refused(model: Path, tmp_path: Path) -> None:
    given = labelled(tmp_path / "data", [text_of(1), text_of(2)])
    (model / MARKS).write_bytes(b"x")

    with pytest.raises(InputError, match=r"marks.parquet cannot be read.*/model.*Get the model again"):
        find_unseen(given.snapshot, given.documents, [model])
