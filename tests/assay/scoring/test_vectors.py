"""Vectors of a corpus serve another head: the same scores but for rounding, and no text is read again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.cli.main import main
from assay.errors import InputError
from assay.inference import Scorer
from assay.model import ModelInfo, load_model
from assay.scoring import PartFolder, Scores, ScoringConfig
from assay.scoring.vectors import Encoder, VectorFile, read_space


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, sample: list[dict]) -> Path:
    """A corpus with its scores and vectors in `scores`, and `head`: another rubric on the same encoder."""
    folder = tmp_path_factory.mktemp("vectors")
    rows = [{"id": row["id"], "text": row["text"], "genre": row["genre"]} for row in sample[:160]]
    rows[7]["text"] = ""
    pd.DataFrame(rows).to_parquet(folder / "corpus.parquet", index=False)
    length = [{"id": row["id"], "text": row["text"], "label": min(len(row["text"]) // 500, 3)} for row in sample]
    pd.DataFrame(length).to_parquet(folder / "length.parquet", index=False)
    assert main([*score(folder, tiny_model), "--embeddings", "int8"]) == 0
    arguments = ["train", "--data", str(folder / "length.parquet"), "--output", str(folder / "head")]
    assert main([*arguments, "--recipe", "head", "--encoder", str(tiny_model), "--window-tokens", "48"]) == 0
    return folder


def score(place: Path, model: Path, root: str = "scores") -> list[str]:
    given = ["score", str(place / "corpus.parquet"), "--model", str(model), "--output", str(place / root)]
    return [*given, "--rows-per-part", "60", "--slice-by", "genre"]


def tables(root: Path) -> dict[bool, pd.DataFrame]:
    """The scores below a root, by whether they kept vectors."""
    found = {}
    for manifest in root.glob("*/_manifest.json"):
        scores = Scores.complete(PartFolder.open(str(manifest.parent)))
        kept = bool(scores.folder.plan.config.embeddings)
        found[kept] = pd.concat([table for _, table in scores.rows()], ignore_index=True)
    return found


def test_keeping_vectors_changes_no_score(place: Path, tiny_model: Path) -> None:
    assert main(score(place, tiny_model, "plain")) == 0

    pd.testing.assert_frame_equal(tables(place / "plain")[False], tables(place / "scores")[True])


def test_a_vector_is_what_the_output_layer_reads(place: Path, tiny_model: Path, sample: list[dict]) -> None:
    (manifest,) = place.glob("scores/*/_manifest.json")
    folder = PartFolder.open(str(manifest.parent))

    space = read_space(folder)

    vectors = np.concatenate([VectorFile(folder, part, space).read() for part in folder.plan.parts()])

    texts = [row["text"] for row in sample[:160]]
    texts[7] = ""
    exact = Scorer.load(tiny_model).read(texts, features=True).features
    assert exact is not None and vectors.shape == exact.shape == (160, 32)
    scored = np.arange(160) != 7
    center, spread = (np.array(values) for values in (space.center, space.spread))
    step = np.abs((exact - center) / spread).max(axis=1, keepdims=True) / 127
    error = np.abs((vectors - exact) / spread)
    # Half a step, and what float32 loses beside a large center.
    assert (error[scored] <= step[scored] * 0.55).all()


def test_a_head_is_fitted_alone_and_scores_by_the_vectors(
    place: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = ModelInfo.read(place / "head")
    assert Encoder.of(load_model(place / "head")) == Encoder.of(load_model(tiny_model))
    assert (info.kind, info.rubric.high) == ("encoder", 3)
    evaluation = json.loads((place / "head/evaluation.json").read_text())
    assert evaluation["training"]["updates"] == 4, "the learning curve, the measured model, and the one that ships"
    shutil.copytree(place / "scores", place / "again")
    assert main(score(place, place / "head", "read")) == 0

    def read_no_text(*_: object, **__: object) -> None:
        raise AssertionError("a text was read")

    monkeypatch.setattr("assay.scoring.run.assess", read_no_text)
    assert main([*score(place, place / "head", "again"), "--from-embeddings"]) == 0

    by_vectors, read = tables(place / "again")[False], tables(place / "read")[False]
    assert by_vectors.columns.tolist() == read.columns.tolist()
    scored = read["reason"].isna()
    assert by_vectors.loc[~scored, "reason"].tolist() == ["no text"]
    assert by_vectors["score"].isna().tolist() == (~scored).tolist()
    width = read["score"].max() - read["score"].min()
    assert np.abs(by_vectors["score"] - read["score"])[scored].max() < 0.05 * width
    assert by_vectors["score"].corr(read["score"], method="spearman") > 0.995
    same = ["id", "tokens", "read", "language", "in_scope", "budget_tokens", "slice"]
    pd.testing.assert_frame_equal(by_vectors[same], read[same])


@pytest.mark.full
def test_a_selection_is_made_by_them(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    corpus, model = str(place / "corpus.parquet"), str(place / "head")
    given = [corpus, "--model", model, "--output", str(tmp_path / "scores"), "--from-embeddings"]
    assert main(["score", *given]) == 0
    select = ["select", corpus, "--model", model, "--scores", str(tmp_path / "scores"), "--share", "0.2"]

    assert main([*select, "--keep-duplicates", "--output", str(tmp_path / "selected")]) == 0

    assert json.loads((tmp_path / "selected/manifest.json").read_text())["rows"] == 32


@pytest.mark.full
def test_vectors_that_do_not_fit_are_refused(
    place: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_encoder: Path
) -> None:
    def refused(arguments: list[str], says: str) -> None:
        assert main(arguments) == 2
        assert says in capsys.readouterr().err

    corpus, data = str(place / "corpus.parquet"), str(place / "length.parquet")
    base = ["score", corpus, "--from-embeddings", "--output", str(place / "scores"), "--model"]
    head = ["train", "--data", data, "--recipe", "head", "--output"]
    assert main([*head, str(tmp_path / "wide"), "--encoder", str(tiny_model), "--window-tokens", "64"]) == 0
    refused(
        [*base, str(tmp_path / "wide")], "were read with 1 window(s) of 48 tokens in fp32, and this model reads 1 of 64"
    )
    assert main([*head, str(tmp_path / "other"), "--encoder", str(tiny_encoder), "--window-tokens", "48"]) == 0
    refused([*base, str(tmp_path / "other")], "vectors of this corpus are of another encoder")
    elsewhere = [
        "score",
        corpus,
        "--from-embeddings",
        "--output",
        str(tmp_path / "none"),
        "--model",
        str(place / "head"),
    ]
    refused(elsewhere, "vectors of this corpus do not exist")
    refused([*base, str(place / "head"), "--cheap", "x"], "--cheap and --from-embeddings at once")
    with pytest.raises(InputError, match="embeddings is 'int4'"):
        ScoringConfig(embeddings="int4")  # type: ignore[arg-type]


def test_damaged_or_missing_vectors_are_reported(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    (manifest,) = tmp_path.glob("scores/*/_manifest.json")
    folder = PartFolder.open(str(manifest.parent))
    first, second, third = (VectorFile(folder, part, read_space(folder)) for part in folder.plan.parts())
    shutil.copy(first.url, second.url)
    Path(third.url).unlink()
    first_bytes = Path(first.url).read_bytes()
    Path(first.url).write_bytes(first_bytes[:200])

    for file, says in ((first, "cannot be read"), (second, "it is of"), (third, "cannot be read")):
        with pytest.raises(InputError, match=says):
            file.read()
