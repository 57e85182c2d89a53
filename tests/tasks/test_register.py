"""The task that registers a model, with a planted verdict of a gate."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation
from assay.evaluation.evaluate import with_gates
from assay.gates import Verdict
from assay.inference import Scorer, write_golden
from assay.model import Aspect, ModelInfo, new_model, save_model
from assay.registry import Registry
from assay.storage import parse_json
from tasks.register import Registration, register

REFUSED = Verdict("shortcuts", False, ["Length carries it."])
REQUEST = {"source": "labels.parquet", "epochs": 5}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("FLYTE_LOCAL_CACHE_ENABLED", "false")
    return Registry(str(tmp_path / "registry"))


def measured(model: Path) -> Evaluation:
    return parse_json(Evaluation, (model / "evaluation.json").read_text(), what="evaluation.json")


def registered(
    registry: Registry, model: Path, evaluation: Evaluation, report: Path, reason: str = "", further: Path | None = None
) -> Registration:
    return register(
        model=FlyteDirectory(str(model)),
        evaluation=evaluation,
        report=FlyteFile(str(report)),
        further=[FlyteDirectory(str(further))] if further else [],
        registry=registry.url,
        promote_refused=reason,
        request=json.dumps(REQUEST),
    ).registration


@pytest.mark.parametrize("reason", ["", "only for a demonstration"])
def test_a_refused_model_is_promoted_with_a_reason_only(tiny_model: Path, registry: Registry, reason: str) -> None:
    refused = with_gates(measured(tiny_model), [REFUSED])

    found = registered(registry, tiny_model, refused, tiny_model / "report.html", reason)

    assert registry.get(found.version).name == found.version
    move = registry.alias("champion")
    if reason:
        assert move is not None
        assert found.champion == move.version == found.version
        assert reason in move.why
    else:
        assert move is None
        assert found.champion == ""
        assert "there is no champion" in str(found)
        assert "Length carries it." in str(found)


def test_the_request_is_in_the_registered_folder(tiny_model: Path, registry: Registry) -> None:
    found = registered(registry, tiny_model, measured(tiny_model), tiny_model / "report.html")

    with registry.open(found.version) as folder:
        assert json.loads((folder / "request.json").read_text()) == REQUEST


def test_a_gate_that_refuses_by_a_further_rubric_refuses_the_model(
    tiny_model: Path, registry: Registry, sample: list[dict], tmp_path: Path
) -> None:
    evaluation = replace(measured(tiny_model), gates=[])
    legal = replace(evaluation.rubric, name="legal")
    info, model, further = ModelInfo.read(tiny_model), tmp_path / "model", tmp_path / "further"
    scorer = Scorer(new_model(replace(info, others=(Aspect(legal, info.calibration),)), seed=0), device="cpu")
    for folder in (model, further):
        folder.mkdir()
    save_model(scorer.model, model)
    write_golden(scorer, [row["id"] for row in sample[:20]], [row["text"] for row in sample[:20]], model)
    refused = with_gates(replace(evaluation, rubric=legal), [REFUSED])
    (further / "evaluation.json").write_text(json.dumps(refused.to_json()))
    (further / "report.html").write_text("<p>legal</p>")

    found = registered(registry, model, evaluation, tiny_model / "report.html", further=further)

    assert registry.alias("champion") is None
    assert "legal, shortcuts: refused. Length carries it." in str(found)
