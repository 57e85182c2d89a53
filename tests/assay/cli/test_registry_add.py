"""A model trained by the command line becomes a version that serves, deploys and is promoted as any other."""

import json
import shutil
from pathlib import Path

import pytest

from assay.cli import main
from assay.registry import CHAMPION, Registry


@pytest.fixture
def passed_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, as if its gates had let it pass."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    fields = json.loads((folder / "evaluation.json").read_text())
    for gate in fields["gates"]:
        gate["passed"], gate["reasons"] = True, []
    (folder / "evaluation.json").write_text(json.dumps(fields))
    return folder


def add(folder: Path, registry: Path, *more: str) -> int:
    return main(["registry", "add", str(folder), "--registry", str(registry), "--who", "an engineer", *more])


def test_a_folder_becomes_a_version_with_its_figures_and_its_request(
    passed_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(str(tmp_path / "registry"))

    assert add(passed_model, tmp_path / "registry") == 0
    said = capsys.readouterr().out
    assert add(passed_model, tmp_path / "registry") == 0

    (version,) = registry.versions()
    assert f"registered as version {version.name}; the champion is {version.name}" in said
    move = registry.alias(CHAMPION)
    assert move is not None
    assert (move.version, move.who) == (version.name, "an engineer")
    request = json.loads((passed_model / "request.json").read_text())
    evaluation = json.loads((passed_model / "evaluation.json").read_text())
    assert version.record["request"] == request
    assert len(version.record["lineage"]["request"]) == 64
    assert version.record["metrics"]["spearman"] == evaluation["metrics"]["spearman"]["value"]
    with registry.open(version.name) as model:
        assert {path.name for path in model.iterdir()} == {path.name for path in passed_model.iterdir()}
    assert main(["registry", "show", version.name, "--registry", registry.url]) == 0
    assert "request" in capsys.readouterr().out


def test_a_model_that_a_gate_refuses_is_registered_and_needs_a_reason_to_be_champion(
    passed_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = json.loads((passed_model / "evaluation.json").read_text())
    fields["gates"][0] |= {"passed": False, "reasons": ["Planted."]}
    (passed_model / "evaluation.json").write_text(json.dumps(fields))
    registry = Registry(str(tmp_path / "registry"))

    assert add(passed_model, tmp_path / "registry") == 0
    assert "Planted." in capsys.readouterr().out
    assert registry.alias(CHAMPION) is None

    assert add(passed_model, tmp_path / "registry", "--promote-refused", "nothing else exists") == 0
    move = registry.alias(CHAMPION)
    assert move is not None
    assert "nothing else exists" in move.why


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "evaluation.json").unlink(), "evaluation.json is missing: this model was never"),
        (lambda folder: (folder / "evaluation.json").write_text("{"), "evaluation.json cannot be read"),
        (lambda folder: (folder / "assay.json").unlink(), "assay.json is missing"),
        (lambda folder: (folder / "request.json").write_text("[1]"), "request.json cannot be read"),
        (
            lambda folder: (folder / "golden.jsonl").write_text(
                (folder / "golden.jsonl").read_text().replace('"score": ', '"score": 9')
            ),
            "its golden documents are off by",
        ),
    ],
)
def test_a_folder_that_is_no_measured_model_is_not_registered(
    damage, says: str, passed_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(passed_model)

    assert add(passed_model, tmp_path / "registry") == 2

    said = capsys.readouterr().err
    assert said.startswith("assay registry: ")
    assert says in said
    assert Registry(str(tmp_path / "registry")).versions() == []


@pytest.mark.full
def test_training_may_register_at_once_and_its_request_trains_again(
    tiny_model: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = tmp_path / "registry"
    arguments = ["train", "--config", str(tiny_model / "request.json"), "--output", str(tmp_path / "again")]

    assert main([*arguments, "--register", "--registry", str(registry)]) == 0

    (version,) = Registry(str(registry)).versions()
    assert f"registered as version {version.name}" in capsys.readouterr().out
    for name in ("model.safetensors", "golden.jsonl", "request.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tiny_model / name).read_bytes(), name


def test_places_without_an_option_are_below_the_work_folder(
    passed_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSAY_WORK", str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.jsonl").write_text('{"text": "Water boils at a hundred degrees."}\n' * 3)

    assert main(["registry", "add", str(passed_model), "--who", "an engineer"]) == 0
    assert main(["snapshot", "build", "corpus.jsonl", "--output", "snapshot", "--keep-duplicates"]) == 0
    assert main(["score", "snapshot"]) == 0
    assert main(["select", "snapshot", "--share", "1", "--output", "selection"]) == 0

    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["pieces", "registry", "scores"]
    assert not (tmp_path / "work").exists()
