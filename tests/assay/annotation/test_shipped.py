"""The judge `shipped`, from the command line to a model, and a run that is killed."""

import html
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from judge_server import by_length, judged, serving

from assay.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = str(ROOT / "data/sample/documents.jsonl")
WORDS = ["--encoder", "words", "--window-tokens", "1000"]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped")
    command = ["annotate", "--data", SAMPLE, "--judge", "shipped", "--answers", str(folder / "answers"), *WORDS]
    command += ["--people", "writer"]
    assert main([*command, "--output", str(folder / "labels")]) == 0
    return folder / "labels"


def test_shipped_answers_with_what_the_two_raters_of_the_sample_gave(shipped: Path) -> None:
    labels = pd.read_parquet(shipped / "part-00000.parquet")
    sample = pd.read_json(SAMPLE, lines=True, dtype={"id": str})
    assert labels["id"].tolist() == sample["id"].tolist()
    assert labels["grade_rater_1"].tolist() == sample["rater_1"].tolist()
    assert labels["grade_rater_2"].tolist() == sample["rater_2"].tolist()
    agreed = sample["rater_1"] == sample["rater_2"]
    assert labels.loc[agreed, "label"].tolist() == sample.loc[agreed, "rater_1"].tolist()
    between = labels.loc[~agreed, "label"]
    assert (between > sample.loc[~agreed, ["rater_1", "rater_2"]].min(axis=1)).all()
    assert (between < sample.loc[~agreed, ["rater_1", "rater_2"]].max(axis=1)).all()
    mean = (sample["rater_1"] + sample["rater_2"]) / 2
    assert (labels["label"] - mean).abs().max() < 0.5
    assert labels["label"].corr(mean, method="spearman") > 0.98
    assert (labels.loc[sample["rater_1"] != sample["rater_2"], "uncertainty"] > 0).all()
    page = (shipped / "_report.html").read_text()
    assert "rater_1, rater_2" in page
    assert "0.98" in page, "their QWK"
    assert "Most disputed documents" in page


def test_people_are_compared_with_and_make_no_label(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = html.unescape((shipped / "_report.html").read_text())
    assert "On 450 documents that people labelled, the judges' label is" in page
    assert "grade_writer" not in pd.read_parquet(shipped / "part-00000.parquet").columns

    command = ["annotate", "--data", SAMPLE, "--judge", "shipped", "--people", "nobody", *WORDS]
    assert main([*command, "--answers", str(tmp_path / "answers"), "--output", str(tmp_path / "labels")]) == 2

    assert "no column 'nobody' with the labels of people" in capsys.readouterr().err
    assert not (tmp_path / "labels").exists()


def test_training_takes_the_table_as_it_is(shipped: Path, tmp_path: Path) -> None:
    train = ["train", "--data", str(shipped), "--recipe", "lexical", "--no-learning-curve", "--rubric", "education"]
    assert main([*train, "--weight-column", "weight", "--output", str(tmp_path / "model")]) == 0
    evaluation = json.loads((tmp_path / "model" / "evaluation.json").read_text())
    assert evaluation["rubric"]["name"] == "education"
    assert sum(json.loads((tmp_path / "model" / "assay.json").read_text())["lineage"]["documents"].values()) > 400


def test_other_documents_have_no_shipped_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"text": ["a", "b"]}).to_parquet(tmp_path / "d.parquet")
    command = ["annotate", "--data", str(tmp_path / "d.parquet"), "--judge", "shipped", *WORDS]
    assert main([*command, "--answers", str(tmp_path / "a"), "--output", str(tmp_path / "out")]) == 2
    assert "no column 'rater_1' with answers" in capsys.readouterr().err


@pytest.mark.full
def test_a_run_that_is_killed_resumes_and_pays_nothing_twice(tmp_path: Path, sample: list[dict]) -> None:
    data, answers = tmp_path / "d.parquet", tmp_path / "answers"
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample[:120]]).to_parquet(data)
    with serving(lambda body, _: judged(by_length(body))) as server:
        server.behave = lambda body, _: (time.sleep(0.02), judged(by_length(body)))[1]
        command = ["annotate", "--data", str(data), "--judge", f"m@{server.url} price=1/2", "--concurrency", "4"]
        command += ["--answers", str(answers), "--output", str(tmp_path / "labels"), *WORDS]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-m", "assay", *command], cwd=ROOT, env=environment)
        while sum(server.answered.values()) < 40 and process.poll() is None:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        time.sleep(0.5)
        sent = len(server.bodies)
        stored = {path.name.partition("-")[0] for path in answers.glob("*/??/*.json")}
        assert 30 < len(stored) < 120
        assert sent - len(stored) <= 4, "no more than the open questions are lost"
        assert not (tmp_path / "labels").exists()

        assert main(command) == 0
        assert len(server.bodies) - sent == 120 - len(stored)
    labels = pd.read_parquet(tmp_path / "labels" / "part-00000.parquet")
    assert labels["label"].tolist() == [len(row["text"]) % 6 for row in sample[:120]]
    assert labels["id"].is_unique


def test_answers_are_kept_in_an_object_store_too(s3: str, tmp_path: Path, sample: list[dict]) -> None:
    data = tmp_path / "d.parquet"
    pd.DataFrame([{"id": row["id"], "text": row["text"]} for row in sample[:12]]).to_parquet(data)
    with serving(lambda body, _: judged(by_length(body))) as server:
        command = ["annotate", "--data", str(data), "--judge", f"m@{server.url}", *WORDS]
        command += ["--answers", f"{s3}/answers-of-judges"]
        assert main([*command, "--output", f"{s3}/labels-of-judges"]) == 0
        assert main([*command, "--output", str(tmp_path / "labels")]) == 0
        assert len(server.bodies) == 12
    labels = pd.read_parquet(tmp_path / "labels" / "part-00000.parquet")
    assert labels["label"].tolist() == [len(row["text"]) % 6 for row in sample[:12]]
