"""`assay draw` and `assay dispute` on the shipped sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.cli.main import main
from assay.model import ModelInfo, save_model
from assay.rubric import load_rubric
from assay.training import recipe
from assay.training.lexical import fit_lexical


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """Return a folder with a corpus, some labelled documents, and a model of words."""
    folder = tmp_path_factory.mktemp("draw")
    corpus = pd.DataFrame(sample)
    corpus.drop(columns=["label", "writer"]).to_parquet(folder / "corpus.parquet", index=False)
    labelled = corpus[:100]
    labelled.to_parquet(folder / "labelled.parquet", index=False)
    info = ModelInfo("", load_rubric("education"), recipe("lexical").windows, kind="lexical")
    model = fit_lexical(labelled["text"].tolist(), labelled["label"].to_numpy(float), info, seed=0).model
    (folder / "model").mkdir()
    save_model(model, folder / "model")
    return folder


def test_documents_are_drawn_with_their_probabilities(
    made: Path, tmp_path: Path, sample: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path))
    command = ["draw", "--corpus", str(made / "corpus.parquet"), "--labelled", str(made / "labelled.parquet")]
    command += ["--model", str(made / "model"), "--source-column", "genre", "--documents", "60", "--candidates", "300"]

    assert main([*command, "--output", str(tmp_path / "a.parquet")]) == 0
    assert main([*command, "--output", str(tmp_path / "b.parquet")]) == 0

    drawn = pd.read_parquet(tmp_path / "a.parquet")
    assert len(drawn) == 60
    pd.testing.assert_frame_equal(drawn, pd.read_parquet(tmp_path / "b.parquet"))
    assert {"id", "text", "topic", "inclusion", "stratum", "score", "distance"} <= set(drawn.columns)
    assert not drawn["id"].isin([row["id"] for row in sample[:100]]).any()
    assert drawn["inclusion"].between(0, 300 / 350, inclusive="right").all(), "both phases count"
    # An estimate of the 350 documents that were not labelled, not of the 300 candidates.
    assert (1 / drawn["inclusion"]).sum() == pytest.approx(350, rel=0.35)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--source-column", "site"], "no column 'site'"),
        (["--documents", "0"], "0 documents to draw"),
        (["--documents", "50", "--candidates", "40"], "40 candidates for 50 documents"),
        (["--model", "nowhere"], "nowhere"),
        (["--labelled", "corpus.parquet"], "all documents are labelled"),
    ],
)
def test_a_draw_that_cannot_be_made_is_refused(
    more: list[str], message: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path))
    monkeypatch.chdir(made)
    output = tmp_path / "drawn.parquet"

    assert main(["draw", "--corpus", "corpus.parquet", "--output", str(output), *more]) == 2

    assert message in capsys.readouterr().err
    assert not output.exists()


def test_disputed_documents_go_to_people_and_come_back(
    made: Path, tmp_path: Path, sample: list[dict], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path))
    table = pd.DataFrame(sample)
    wide = table.set_index("id")[["rater_1", "rater_2"]]
    answers = wide.reset_index().melt("id", var_name="judge", value_name="grade").assign(repeat=0)
    answers.to_parquet(tmp_path / "answers.parquet", index=False)
    file = tmp_path / "people.csv"
    command = ["dispute", str(tmp_path / "answers.parquet")]

    texts = ["--texts", str(made / "corpus.parquet"), "--documents", "5"]
    assert main([*command, *texts, "--output", str(file)]) == 0
    assert "Krippendorff's alpha" in capsys.readouterr().out
    filled = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert len(filled) == 5
    spread = (wide["rater_1"] - wide["rater_2"]).abs()
    assert spread.loc[filled["id"]].min() >= np.sort(spread)[-5]
    filled["label"] = "2"
    filled.to_csv(file, index=False)

    joined = tmp_path / "joined.parquet"
    assert main([*command, "--labels", str(file), "--person", "ann", "--output", str(joined)]) == 0
    assert (
        main(
            ["dispute", str(joined), "--labels", str(file), "--person", "ann", "--output", str(tmp_path / "x.parquet")]
        )
        == 0
    )

    found = pd.read_parquet(tmp_path / "x.parquet")
    assert (found["judge"] == "ann").sum() == 5, "given twice, they count once"
    assert len(found) == len(answers) + 5


def test_a_dispute_without_a_request_is_refused(tmp_path: Path, capsys) -> None:
    answers = pd.DataFrame({"id": ["a", "a"], "judge": ["j", "k"], "repeat": 0, "grade": [1.0, 3.0]})
    answers.to_csv(tmp_path / "answers.csv", index=False)

    assert main(["dispute", str(tmp_path / "answers.csv"), "--output", str(tmp_path / "o.csv")]) == 2
    assert "--texts writes a file to fill" in capsys.readouterr().err
    (tmp_path / "answers.csv").write_text("id,judge\na,j\n")
    texts = ["--texts", str(tmp_path / "answers.csv")]
    assert main(["dispute", str(tmp_path / "answers.csv"), *texts, "--output", str(tmp_path / "o.csv")]) == 2
    assert "no column 'repeat'" in capsys.readouterr().err
