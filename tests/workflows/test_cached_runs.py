"""`pyflyte run` of a training: no change is a hit, a change runs what depends on it, and a killed run resumes."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from checkout import Checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("run"), tiny_encoder)


@pytest.fixture(scope="module")
def first(checkout: Checkout) -> tuple[dict[str, bool], str, str]:
    return checkout.run()


def test_a_run_registers_a_model_and_prints_its_metrics(
    checkout: Checkout, first: tuple[dict[str, bool], str, str]
) -> None:
    cached, out, err = first

    assert not any(cached.values())
    assert "this model" in out
    assert "TF-IDF + ridge" in out
    assert re.search(r"0\.\d\d \(0\.\d\d to", out)
    assert "Warning" not in out + err
    (version,) = (checkout.work / "registry" / "versions").iterdir()
    record = json.loads((version / "version.json").read_text())
    assert record["record"]["metrics"]["f1"] >= 0
    assert (version / "model" / "README.md").is_file()
    evaluation = json.loads((version / "model" / "evaluation.json").read_text())
    assert [verdict["name"] for verdict in evaluation["gates"]] == ["shortcuts", "counterfactuals", "leak"]
    assert any(verdict["passed"] is False for verdict in evaluation["gates"]), "a model that hardly reads is refused"
    assert "there is no champion" in out
    assert not (checkout.work / "registry" / "aliases").exists()
    assert (checkout.work / "report.html").read_text().startswith("<!doctype html>")
    assert not list((checkout.work / "checkpoints").glob("*")) if (checkout.work / "checkpoints").exists() else True

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{checkout.work}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("assay").experiment_id])
    assert run.data.params["training.epochs"] == "3"
    assert run.data.tags["version"] == version.name
    assert "test/f1" in run.data.metrics
    assert len(client.get_metric_history(run.info.run_id, "train/loss")) == 51


@pytest.mark.full
def test_without_a_change_every_stage_is_a_hit(checkout: Checkout, first: tuple[dict[str, bool], str, str]) -> None:
    cached, out, _ = checkout.run()

    assert all(cached.values())
    assert "9 of 9 stages from the cache" in out
    assert len(list((checkout.work / "registry" / "versions").iterdir())) == 1
    table = out[out.index("How good") : out.index("!")]
    assert table == first[1][first[1].index("How good") : first[1].index("!")]


@pytest.mark.full
def test_a_refused_model_is_champion_with_a_reason(checkout: Checkout, first: tuple[dict[str, bool], str, str]) -> None:
    cached, out, _ = checkout.run("--promote_refused", "the tests need one")

    assert {stage for stage, hit in cached.items() if not hit} == {"Register", "Track"}
    (version,) = (checkout.work / "registry" / "versions").iterdir()
    champion = json.loads((checkout.work / "registry/aliases/champion/00000001.json").read_text())
    assert champion["version"] == version.name
    assert "the tests need one" in champion["why"]
    assert f"the champion is {version.name}" in out


@pytest.mark.full
def test_a_changed_line_runs_what_depends_on_it(checkout: Checkout, first: tuple[dict[str, bool], str, str]) -> None:
    file = checkout.root / "assay" / "metrics" / "metrics.py"
    file.write_bytes(file.read_bytes() + b"\n# one more line\n")

    cached, _, _ = checkout.run()

    untouched = {"Acquire", "Validate", "Split", "Train", "Calibrate"}
    assert {stage for stage, hit in cached.items() if hit} == untouched


@pytest.mark.full
def test_a_changed_row_runs_everything_and_keeps_all_other_documents_in_their_parts(checkout: Checkout) -> None:
    first = checkout.run()[1]
    rows = [json.loads(line) for line in checkout.source.read_text().splitlines()]
    rows[0]["label"] = 5
    checkout.source.write_text("".join(json.dumps(row) + "\n" for row in rows))

    cached, out, err = checkout.run()

    assert not any(cached.values())
    assert "450 kept from the ledger" in err
    assert "train 270, calibration 90, test 90" in first
    assert "train 270, calibration 90, test 90" in out


@pytest.mark.full
def test_a_killed_run_resumes(tmp_path: Path, tiny_encoder: Path) -> None:
    checkout = Checkout(tmp_path, tiny_encoder)
    process, deadline = checkout.start("--tracking", "none"), time.monotonic() + 300
    while not list(checkout.work.glob("checkpoints/*.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (checkout.work / "registry").exists()

    cached, _, err = checkout.run("--tracking", "none")

    assert {stage for stage, hit in cached.items() if hit} == {"Acquire", "Validate", "Split", "Baselines"}
    assert "resumed from update 50 of 51" in err
    assert not list(checkout.work.glob("checkpoints/*.pt"))


@pytest.mark.full
def test_a_run_with_bad_input_ends_with_our_message(checkout: Checkout) -> None:
    process = checkout.start("--text_column", "body")

    out, _ = process.communicate(timeout=200)

    assert process.returncode != 0
    last = " ".join(out.split())  # where pyflyte prints errors
    assert "no column 'body' for the text" in last[-400:]
    assert last.endswith("Name one of: genre, id, label, rater_1, rater_2, text, topic, writer")
