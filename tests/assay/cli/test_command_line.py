"""`assay train | evaluate | score | select` as users call them, once with the real encoder."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.cli.main import main
from assay.inference import Scorer, check_golden, read_golden

ROOT = Path(__file__).resolve().parents[3]
GERMAN = "Zwei Brüche werden addiert, indem man sie auf denselben Nenner bringt und dann die Zähler addiert."
FAST = ["--window-tokens", "48", "--epochs", "1"]


def scores_in(folder: Path) -> pd.DataFrame:
    """Return all parts of the one plan below a folder, in order, read as one data set."""
    (plan,) = folder.glob("*/_plan.json")
    return pd.read_parquet(plan.parent)


def write(path: Path, rows: list[dict]) -> str:
    pd.DataFrame(rows).to_parquet(path, index=False)
    return str(path)


@pytest.mark.encoder
@pytest.mark.full
def test_evaluation_scoring_and_plain_transformers_agree_on_the_golden_documents(
    tmp_path: Path, sample: list[dict]
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    data, model = write(tmp_path / "labels.parquet", sample[:150]), tmp_path / "model"
    assert main(["train", "--data", data, "--output", str(model), "--rubric", "education", *FAST]) == 0
    golden = read_golden(model)
    expected = np.array([row["score"] for row in golden])
    texts = [str(row["text"]) for row in golden]

    assert check_golden(Scorer.load(model), model).passed

    documents = write(tmp_path / "golden.parquet", [{"id": row["id"], "text": row["text"]} for row in golden])
    assert main(["score", documents, "--model", str(model), "--output", str(tmp_path / "scores")]) == 0
    scores = scores_in(tmp_path / "scores")
    assert scores["id"].tolist() == [row["id"] for row in golden]
    np.testing.assert_allclose(scores["score"], expected, atol=1e-4)

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForSequenceClassification.from_pretrained(model)
    batch = tokenizer(texts, truncation=True, max_length=48, padding=True, return_tensors="pt")
    with torch.inference_mode():
        plain = network(**batch).logits[:, 0].numpy()
    np.testing.assert_allclose(plain, expected, atol=1e-4)

    names = {path.name for path in model.iterdir()}
    assert {"config.json", "model.safetensors", "assay.json", "golden.jsonl", "README.md", "report.html"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in model.iterdir()), "a server runs as another user"


def test_a_model_folder_has_its_lineage_evaluation_and_card(tiny_model: Path) -> None:
    import yaml

    info = json.loads((tiny_model / "assay.json").read_text())
    evaluation = json.loads((tiny_model / "evaluation.json").read_text())
    card = (tiny_model / "README.md").read_text()

    assert info["lineage"]["documents"] == {"train": 144, "calibration": 48, "test": 48}
    assert len(info["lineage"]["snapshot"]) == 64
    assert info["calibration"]["documents"] == 48
    assert evaluation["documents"] == 48
    assert set(evaluation["baselines"]) == {"majority", "length", "tfidf_ridge", "encoder_ridge"}
    assert evaluation["gains"]["length"]["f1"]["value"] is not None
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["pipeline_tag"] == "text-classification"
    assert head["model-index"][0]["results"][0]["metrics"]


def test_scores_keep_every_document_and_the_reason_if_one_has_no_score(tiny_model: Path, tmp_path: Path) -> None:
    texts = [
        "A lesson about fractions.",
        "",
        None,
        "many words " * 20_000,
        "\x00\x01 control",
        GERMAN,
        "a" * 2_000_000,
    ]
    rows = [{"id": f"d{n}", "text": text, "url": f"https://example.org/{n}"} for n, text in enumerate(texts)]
    data = write(tmp_path / "corpus.parquet", rows)

    assert main(["score", data, "--model", str(tiny_model), "--output", str(tmp_path / "out")]) == 0

    table = scores_in(tmp_path / "out")
    assert table["id"].tolist() == [row["id"] for row in rows]
    assert "text" not in table.columns
    expected = ["", "no text", "no text", "repetitive", "damaged", "", "too long"]
    assert table["reason"].fillna("").tolist() == expected
    scored, others = table[table["reason"].isna()], table[table["reason"].notna()]
    assert np.isfinite(scored[["score", "calibrated", "p_keep"]].to_numpy(float)).all()
    assert scored["grade"].between(0, 5).all()
    assert others[["score", "calibrated", "p_keep", "grade", "keep"]].isna().all().all()
    assert table.loc[5, "language"] == "de"
    assert not table.loc[5, "in_scope"]
    manifest = json.loads(next((tmp_path / "out").glob("*/_manifest.json")).read_text())
    totals = manifest["totals"]
    assert (totals["documents"], totals["scored"], totals["in_scope"]) == (7, 2, 1)
    assert totals["reasons"] == {"damaged": 1, "no text": 2, "repetitive": 1, "too long": 1}


def test_a_document_scores_the_same_alone_and_with_others(tiny_model: Path, sample: list[dict]) -> None:
    scorer, texts = Scorer.load(tiny_model), [row["text"] for row in sample[:40]]

    together = scorer.score(texts)
    alone = pd.concat([scorer.score([text]) for text in texts], ignore_index=True)

    np.testing.assert_allclose(together["score"], alone["score"], atol=1e-5)
    assert together["grade"].tolist() == alone["grade"].tolist()


def test_documents_that_fitted_the_model_are_left_out_of_an_evaluation(
    tiny_model: Path, tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    # All documents that it was trained on, with other white space, and a hundred new ones.
    rows = [row | {"text": f"  {row['text']}\n"} for row in sample[:240]] + sample[240:340]
    data, report = write(tmp_path / "all.parquet", rows), tmp_path / "report.json"

    assert main(["evaluate", "--model", str(tiny_model), "--data", data, "--output", str(report)]) == 0

    fields = json.loads(report.read_text())
    assert fields["left_out_as_seen"] == 240, "what ships was fitted to its test part, too"
    assert fields["documents"] == 100
    assert fields["left_out"]["text"] == 240
    assert [verdict["name"] for verdict in fields["gates"]] == ["shortcuts", "counterfactuals", "leak"]
    assert fields["gates"][2]["figures"]["measured on"] == 100
    assert report.with_suffix(".html").is_file()
    assert "240 of 340" in capsys.readouterr().err


def test_a_binary_label_and_another_scale_need_no_rubric(
    tiny_encoder: Path, tmp_path: Path, sample: list[dict]
) -> None:
    rows = [{"body": row["text"], "good": row["label"] >= 3, "percent": 20 * row["label"]} for row in sample[:160]]
    data = write(tmp_path / "d.parquet", rows)
    common = ["--data", data, "--text-column", "body", "--encoder", str(tiny_encoder), *FAST]

    assert main(["train", *common, "--label-column", "good", "--output", str(tmp_path / "binary")]) == 0
    assert main(["train", *common, "--label-column", "percent", "--output", str(tmp_path / "percent")]) == 0

    binary = json.loads((tmp_path / "binary" / "assay.json").read_text())["rubric"]
    percent = json.loads((tmp_path / "percent" / "assay.json").read_text())["rubric"]
    assert (binary["low"], binary["high"], binary["threshold"]) == (0, 1, 1)
    assert (percent["low"], percent["high"], percent["threshold"]) == (0, 100, 60)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "nowhere.parquet"], "no such file"),
        (["--text-column", "body"], "no column 'body'"),
        (["--label-column", "grade"], "no column 'grade'"),
        (["--label-column", "topic"], "rows cannot be used"),
        (["--rubric", "nothing"], "no rubric 'nothing'"),
        (["--threshold", "9"], "outside the scale"),
        (["--encoder", "nothing"], "no encoder 'nothing'"),
        (["--recipe", "nothing"], "no recipe"),
        (["--epochs", "0"], "epochs is 0"),
        (["--processes", "0"], "0 training processes"),
        (["--window-tokens", "4"], "windows of 4 tokens"),
    ],
)
def test_bad_requests_end_with_one_clear_line_and_leave_nothing(
    tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    data = write(tmp_path / "d.parquet", sample[:100])
    given = ["train", "--data", data, "--output", str(tmp_path / "out" / "model"), "--rubric", "education"]

    assert main([*given, *arguments]) == 2

    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("assay train: ")
    assert complaint in last
    assert not list(tmp_path.glob("out/*"))


def test_too_few_documents_and_other_folders_are_refused(
    tmp_path: Path, sample: list[dict], tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "few.parquet", sample[:8])
    assert main(["train", "--data", data, "--output", str(tmp_path / "m"), "--rubric", "education"]) == 2
    assert "too few" in capsys.readouterr().err
    assert main(["score", data, "--model", str(tmp_path), "--output", str(tmp_path / "s")]) == 2
    assert "assay.json is missing" in capsys.readouterr().err
    assert main(["train", "--data", data, "--output", str(tiny_model)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_damaged_weights_are_refused(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])

    data = write(tmp_path / "x.parquet", [{"text": "a document"}])
    assert main(["score", data, "--model", str(broken), "--output", str(tmp_path / "s")]) == 2

    assert "cannot be" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.full
def test_a_killed_training_resumes_with_the_same_command(
    tiny_encoder: Path, tmp_path: Path, sample: list[dict]
) -> None:
    data = write(tmp_path / "d.parquet", sample)
    command = [sys.executable, "-m", "assay", "train", "--data", data, "--rubric", "education"]
    command += ["--encoder", str(tiny_encoder), "--window-tokens", "128", "--epochs", "6", "--output"]

    def start(output: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [*command, str(output)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    run, deadline = start(tmp_path / "model"), time.monotonic() + 120
    while not list(tmp_path.glob(".model.training/*.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert not (tmp_path / "model").exists()

    again = start(tmp_path / "model")
    printed = again.communicate(timeout=300)[1]
    undisturbed = start(tmp_path / "other")
    undisturbed.communicate(timeout=300)

    assert again.returncode == 0, printed
    assert "resumed from update" in printed
    one, other = (tmp_path / name / "model.safetensors" for name in ("model", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.parquet", "model", "other"]
