"""A lexical model from the command line: trained, distilled, evaluated, registered, served; and no torch in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from assay.cli.main import main
from assay.inference import Scorer, check_golden
from assay.model import ModelInfo
from assay.registry import Registry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    folder = tmp_path_factory.mktemp("lexical")
    pd.DataFrame(sample[:330]).to_parquet(folder / "labels.parquet", index=False)
    pd.DataFrame(sample[330:]).to_parquet(folder / "more.parquet", index=False)
    arguments = ["train", "--data", str(folder / "labels.parquet"), "--rubric", "education", "--recipe", "lexical"]
    assert main([*arguments, "--folds", "3", "--output", str(folder / "model")]) == 0
    return folder


def test_the_model_folder_has_all_parts(trained: Path) -> None:
    model = trained / "model"
    info, evaluation = ModelInfo.read(model), json.loads((model / "evaluation.json").read_text())

    assert (info.kind, info.encoder, info.windows.tokens) == ("lexical", "", 1_000)
    assert info.calibration is not None
    assert check_golden(Scorer.load(model), model).worst == 0
    assert set(evaluation["baselines"]) == {"majority", "length", "tfidf_ridge"}
    assert [gate["name"] for gate in evaluation["gates"]] == ["shortcuts", "counterfactuals", "leak"]
    assert evaluation["metrics"]["spearman"]["value"] > 0.7
    assert evaluation["training"]["updates"] == 7, "three folds, the learning curve, the measured model, what ships"
    card = (model / "README.md").read_text()
    assert "library_name: assay" in card
    assert "Words and pairs of words, hashed; the first 1,000 words per document" in card
    assert {path.name for path in model.iterdir()} >= {"lexical.safetensors", "assay.json", "request.json"}


@pytest.mark.full
def test_its_request_trains_the_same_model_again(trained: Path, tmp_path: Path) -> None:
    request = ["--config", str(trained / "model/request.json")]

    assert main(["train", *request, "--output", str(tmp_path / "again")]) == 0

    for name in ("lexical.safetensors", "golden.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / "model" / name).read_bytes()


def test_it_is_evaluated_and_registered_like_any_model(trained: Path, tmp_path: Path) -> None:
    model, data = str(trained / "model"), str(trained / "more.parquet")

    assert main(["evaluate", "--model", model, "--data", data, "--output", str(tmp_path / "r.json")]) == 0
    assert main(["registry", "add", model, "--registry", str(tmp_path / "registry"), "--who", "test"]) == 0

    assert json.loads((tmp_path / "r.json").read_text())["metrics"]["spearman"]["value"] > 0.6
    (version,) = Registry(str(tmp_path / "registry")).versions()
    with Registry(str(tmp_path / "registry")).open(version.name) as folder:
        assert Scorer.load(folder).score(["Plants need light."])["score"].notna().all()


def test_scoring_needs_no_torch(trained: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from assay.cli.main import main; code = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules]); sys.exit(code)"
    )
    command = ["score", str(trained / "more.parquet"), "--model", str(trained / "model"), "--output", str(tmp_path)]

    run = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert run.stdout.strip().splitlines()[-1] == "[]"
    (plan,) = tmp_path.glob("*/_plan.json")
    table = pd.read_parquet(plan.parent)
    expected = Scorer.load(trained / "model").score(pd.read_parquet(trained / "more.parquet")["text"].tolist())
    assert table["score"].tolist() == expected["score"].tolist()
    assert table["tokens"].tolist() == expected["tokens"].tolist()


def test_the_service_answers_by_it(trained: Path, sample: list[dict]) -> None:
    from assay.serving.assayer import Assayer
    from assay.serving.documents import Document

    assayer = Assayer(trained / "model", "1")
    assayer.prepare()
    assert assayer.state == "ready"
    text = " ".join(row["text"] for row in sample[:30])

    (answer,) = assayer.score([Document("a", text, float("inf"))])
    (explanation,) = assayer.explain([Document("a", text, float("inf"))])

    assert answer is not None
    assert answer["score"] == pytest.approx(Scorer.load(trained / "model").score([text])["score"][0])
    (window,) = explanation["windows"]
    assert window["start"] == 0
    assert window["end"] == pytest.approx(len(text) * answer["read"], abs=1)


def test_a_model_is_distilled_from_the_scores_of_another(
    trained: Path, tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "corpus.parquet"
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample]).to_parquet(corpus, index=False)
    teacher = str(trained / "model")
    arguments = ["distil", str(corpus), "--model", teacher, "--scores", str(tmp_path / "scores"), "--documents", "400"]

    assert main([*arguments, "--window-tokens", "200", "--output", str(tmp_path / "student")]) == 0

    shown = capsys.readouterr().out
    assert "Agreement with the full model on" in shown
    info, full = ModelInfo.read(tmp_path / "student"), ModelInfo.read(trained / "model")
    assert full.calibration is not None
    assert (info.kind, info.windows.tokens, info.rubric.name) == ("lexical", 200, "education")
    assert info.rubric.threshold == pytest.approx(full.calibration.keep_cut)
    evaluation = json.loads((tmp_path / "student/evaluation.json").read_text())
    assert evaluation["metrics"]["spearman"]["value"] > 0.7
    (labels,) = tmp_path.glob("scores-of-*/labels.parquet")
    assert 300 < len(pd.read_parquet(labels)) <= 400
    # Killed or not, the same command uses the scores that exist.
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("*/rows-*")}
    assert main([*arguments, "--output", str(tmp_path / "wider")]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("*/rows-*")} == parts
    assert ModelInfo.read(tmp_path / "wider").windows.tokens == 1_000, "as many as its teacher"

    assert main([*arguments, "--output", str(tmp_path / "wider")]) == 2
    assert "the output exists already" in capsys.readouterr().err
    assert main([*arguments[:-1], "100", "--output", str(tmp_path / "few")]) == 2
    assert "100 documents to distil from. Give at least 200" in capsys.readouterr().err


@pytest.mark.full
def test_scores_that_the_full_model_has_given_are_used(
    trained: Path, tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, teacher, scores = (str(tmp_path / "corpus.parquet"), str(trained / "model"), str(tmp_path / "scores"))
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample]).to_parquet(corpus, index=False)
    assert main(["score", corpus, "--model", teacher, "--output", scores]) == 0
    ledger = sorted((tmp_path / "scores/costs").iterdir())

    given = ["distil", corpus, "--model", teacher, "--scores", scores, "--documents", "300", "--window-tokens", "50"]
    assert main([*given, "--output", str(tmp_path / "student")]) == 0

    assert "its scores are used" in capsys.readouterr().err
    assert sorted((tmp_path / "scores/costs").iterdir()) == ledger, "nothing was scored again"
    (labels,) = tmp_path.glob("scores-of-*/labels.parquet")
    table = pd.read_parquet(labels).set_index("id")["label"]
    by_id = {row["id"]: row["text"] for row in sample}
    again = Scorer.load(trained / "model").read([by_id[name] for name in table.index]).score
    assert table.tolist() == pytest.approx(again.clip(0, 5).tolist())
