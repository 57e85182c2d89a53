"""The steps of a pipeline after its training: a real model is registered, and released at the stand-in of SageMaker."""

import json
import tarfile
from pathlib import Path

import pandas as pd
import pytest
from aws_stand_in import IMAGE, PLACE, ROLE, aws

from assay.jobs.steps import main
from assay.jobs.train import run
from assay.registry import CHAMPION, DecisionLog, Registry

TARGET = f"sagemaker,region=eu-central-1,role={ROLE},image={IMAGE},place={PLACE},instance=ml.c5.xlarge"


def test_a_model_of_a_job_is_registered_and_released(
    tmp_path: Path, sample: list[dict], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, registry, version = tmp_path / "ml", str(tmp_path / "registry"), tmp_path / "version"
    for name in ("input/config", "input/data/train", "model", "output"):
        (root / name).mkdir(parents=True)
    rows = pd.DataFrame([{name: row[name] for name in ("id", "text", "label")} for row in sample])
    rows[:300].to_parquet(root / "input/data/train/labels.parquet", index=False)
    rows[300:].to_parquet(tmp_path / "test.parquet", index=False)
    options = {"rubric": "education", "recipe": "lexical"}
    (root / "input/config/hyperparameters.json").write_text(json.dumps(options))
    run(root, {})
    given = tmp_path / "given"
    given.mkdir()
    with tarfile.open(given / "model.tar.gz", "w:gz") as archive:
        for path in sorted((root / "model").rglob("*")):
            archive.add(path, path.relative_to(root / "model").as_posix(), recursive=False)

    assert main(["register", "--model", str(given), "--registry", registry, "--output", str(version)]) == 0

    name = json.loads((version / "version.json").read_text())["version"]
    shelf = Registry(registry)
    assert shelf.get(name).name == name
    if shelf.alias(CHAMPION) is None:
        from assay.registry import promote_first

        promote_first(shelf, name, [], who="test")
    command = ["release", "--version", str(version), "--registry", registry]
    command += ["--test-set", str(tmp_path / "test.parquet"), "--target", TARGET]
    with aws(registry, monkeypatch) as cloud:
        monkeypatch.setattr("time.sleep", lambda _: None)
        assert main(command) == 0
        assert cloud.backend.endpoints["assay-serving"].endpoint_config_name.startswith(f"assay-serving-{name}-")
        cloud.wrong = name
        cloud.faults = {"DescribeEndpoint": [(400, "ExpiredTokenException", "expired")]}
        assert main(command) == 2
    assert "the credentials have expired" in capsys.readouterr().err
    (decision,) = DecisionLog(registry).history()
    assert (decision.version, decision.outcome, decision.serving) == (name, "deployed", name)


def test_a_model_that_was_not_measured_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").mkdir()
    command = ["register", "--model", str(tmp_path / "model"), "--registry", str(tmp_path / "r")]

    assert main([*command, "--output", str(tmp_path / "v")]) == 2

    assert capsys.readouterr().err.startswith("register: ")
    assert not (tmp_path / "v").exists() and not (tmp_path / "r").exists()
