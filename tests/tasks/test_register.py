"""The stage that registers a model, with the planted word of a gate."""

from pathlib import Path

import pytest
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation
from assay.evaluation.evaluate import with_gates
from assay.gates import Verdict
from assay.registry import Registry
from assay.storage import parse_json


@pytest.mark.parametrize("reason", ["", "shown to nobody but me"])
def test_a_refused_model_is_promoted_with_a_reason_only(
    tiny_model: Path, tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.register import register

    monkeypatch.setenv("FLYTE_LOCAL_CACHE_ENABLED", "false")
    measured = parse_json(Evaluation, (tiny_model / "evaluation.json").read_text(), what="evaluation.json")
    refused = with_gates(measured, [Verdict("shortcuts", False, ["Length carries it."])])

    registered = register(
        model=FlyteDirectory(str(tiny_model)),
        evaluation=refused,
        report=FlyteFile(str(tiny_model / "report.html")),
        further=[],
        registry=str(tmp_path / "registry"),
        promote_refused=reason,
    )

    found, registry = registered.registration, Registry(str(tmp_path / "registry"))
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


def test_a_gate_that_refuses_by_a_further_rubric_refuses_the_model(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json
    import shutil
    from dataclasses import replace

    from assay.model import Aspect, ModelInfo
    from tasks.register import register

    monkeypatch.setenv("FLYTE_LOCAL_CACHE_ENABLED", "false")
    text = (tiny_model / "evaluation.json").read_text()
    measured = replace(parse_json(Evaluation, text, what="evaluation.json"), gates=[])
    legal = replace(measured.rubric, name="legal")
    by_legal, model, info = replace(measured, rubric=legal), tmp_path / "model", ModelInfo.read(tiny_model)
    shutil.copytree(tiny_model, model)
    replace(info, others=(Aspect(legal, info.calibration),)).write(model)
    further = tmp_path / "further"
    further.mkdir()
    refused = with_gates(by_legal, [Verdict("shortcuts", False, ["Length carries it."])])
    (further / "evaluation.json").write_text(json.dumps(refused.to_json()))
    (further / "report.html").write_text("<p>legal</p>")

    registered = register(
        model=FlyteDirectory(str(model)),
        evaluation=measured,
        report=FlyteFile(str(tiny_model / "report.html")),
        further=[FlyteDirectory(str(further))],
        registry=str(tmp_path / "registry"),
        promote_refused="",
    )

    assert Registry(str(tmp_path / "registry")).alias("champion") is None
    assert "legal, shortcuts: refused. Length carries it." in str(registered.registration)
