"""`assay challenge` and what follows it, as people call them, on real models: tiny ones."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from assay.cli.main import main
from assay.dedup import text_digest
from assay.promotion import Judgement
from assay.registry import CHAMPION, PREVIOUS, Registry


def turned(model: Path, folder: Path, factor: float) -> Path:
    """The model with its head multiplied: its scores are turned round, or stretched."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"] = factor * weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def place(tmp_path: Path, sample: list[dict]) -> Path:
    pd.DataFrame(sample[200:400]).to_parquet(tmp_path / "test.parquet", index=False)
    return tmp_path


def judged(place: Path, challenger: str | Path, name: str, *more: str) -> tuple[int, dict]:
    given = ["challenge", str(challenger), "--data", str(place / "test.parquet"), "--registry", str(place / "registry")]
    code = main([*given, "--output", str(place / name), *more])
    return code, json.loads((place / name).read_text()) if (place / name).exists() else {}


def test_a_challenger_is_compared_promoted_and_rolled_back(
    place: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(str(place / "registry"))
    seen = pd.read_parquet(tiny_model / "seen.parquet")["digest"].tolist()
    texts = pd.read_parquet(place / "test.parquet")["text"]
    folder = turned(tiny_model, place / "one", -20.0)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    leak = {"name": "leak", "passed": False, "reasons": ["12 test documents are copies."], "figures": {}}
    evaluation["gates"] = [*(gate for gate in evaluation["gates"] if gate["name"] != "leak"), leak]
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    one = registry.register(folder, {"metrics": {"f1": 0.1}, "lineage": {"run": "r"}})
    two = registry.register(tiny_model, {"metrics": {"f1": 0.5}})
    there = ["--registry", registry.url]

    # No champion yet: absolute limits alone. Its golden documents are those of the model that was not turned round.
    code, first = judged(place, one.name, "first.json", "--slice-by", "genre")
    assert code == 1
    assert first["verdict"] == "refused"
    assert first["champion"] is None
    assert "does not repeat its recorded scores" in first["sentence"]
    assert "Gate leak: refused. 12 test documents are copies." in first["sentence"]
    assert "There is no champion yet" in (place / "first.html").read_text()
    outcomes = {rule["name"]: rule["outcome"] for rule in first["rules"]}
    assert outcomes["golden"] == "broken"
    assert {"documents", "unseen", "comparison", "ranking", "calibration", "shortcuts", "leak"} <= set(outcomes)
    assert first["documents"] == len(texts) - sum(text_digest(text) in seen for text in texts)
    assert main(["registry", "promote", one.name, "--verdict", str(place / "first.json"), "--why", "x", *there]) == 2
    assert f"no verdict has passed {one.name}" in capsys.readouterr().err
    override = ["--in-spite-of-gate", "a first one to begin with", "--why", "begin", "--who", "anna"]
    assert main(["registry", "promote", one.name, "--verdict", str(place / "first.json"), *override, *there]) == 0

    # Against the champion; the same test set's second use. A latency that no machine has.
    code, second = judged(
        place, two.name, "second.json", "--limit", "latency_ms=0.000001", "--data-until", "2020-01-31"
    )
    assert code == 1
    assert second["champion"] == {"name": "champion", "digest": one.digest}
    assert "95th percentile of its latency is" in second["sentence"]
    assert second["wear"]["uses"] == 2
    assert second["wear"]["digest"] == first["wear"]["digest"]
    assert second["latency"]["texts"] == 24
    assert second["megabytes"] > 0.1
    assert set(second["differences"]) == set(second["metrics"])
    assert Judgement.from_json(second).sentence() == second["sentence"]
    page = (place / "second.html").read_text()
    assert "Should it become champion?" in page
    assert "Dwork" in page
    assert second["sentence"] in capsys.readouterr().out
    code, stale = judged(place, two.name, "stale.json", "--limit", "data_days=30", "--data-until", "2020-01-31")
    assert "The age of its newest data is" in stale["sentence"]
    assert stale["wear"]["uses"] == 2  # the same two models again

    assert main(["registry", "promote", two.name[:7], *override, *there]) == 0
    assert main(["registry", "list", *there]) == 0
    listed = capsys.readouterr().out
    assert f"champion: {two.name}, by anna" in listed
    assert f"previous: {one.name}, by anna" in listed
    assert main(["registry", "rollback", "--why", "it times out", "--who", "ben", *there]) == 0
    assert main(["registry", "rollback", "--why", "it times out", "--who", "ben", *there]) == 0
    assert "nothing was moved" in capsys.readouterr().out
    assert [move.version for move in registry.history(CHAMPION)] == [one.name, two.name, one.name]
    assert [move.version for move in registry.history(PREVIOUS)] == [one.name]
    assert main(["registry", "show", "champion", *there]) == 0
    shown = capsys.readouterr().out
    for expected in (
        one.digest,
        "run        r",
        "f1",
        "leak: ",
        "by ben",
        "it times out",
        "in spite of the gate: a first",
    ):
        assert expected in shown, expected
    assert main(["registry", "show", two.name, *there]) == 0
    assert f"rolled back: {two.name}" in capsys.readouterr().out


def test_what_cannot_be_compared_or_moved_has_a_reason_and_leaves_nothing(
    place: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(str(place / "registry"))
    version, there = registry.register(tiny_model, {}).name, ["--registry", registry.url]

    def said() -> str:
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert judged(place, version, "x.txt") == (2, {})
    assert said().startswith("assay challenge: the verdict is a file of JSON")
    assert judged(place, version, "x.json", "--against", str(tiny_model)) == (2, {})
    assert "are the same model" in said()
    assert judged(place, version, "x.json", "--against", "nothing") == (2, {})
    assert "no version 'nothing'" in said()
    assert judged(place, version, "x.json", "--limit", "speed=1") == (2, {})
    assert "no limit 'speed'" in said()
    assert judged(place, version, "x.json", "--data-until", "yesterday") == (2, {})
    assert "'yesterday' is not a date" in said()
    assert main(["registry", "promote", version, "--why", "y", *there]) == 2
    assert "no verdict was given" in said()
    assert main(["registry", "promote", version, "--why", "y", "--verdict", str(place / "no.json"), *there]) == 2
    assert "the verdict cannot be read" in said()
    assert main(["registry", "rollback", "--why", "y", *there]) == 2
    assert "there is no champion" in said()
    assert main(["registry", "show", "champion", *there]) == 2
    assert "None was promoted" in said()
    assert main(["registry", "list", "--registry", str(place / "empty")]) == 0
    assert not list(place.glob("x.*"))
    assert not (place / "registry" / "test_sets").exists()
    assert registry.alias(CHAMPION) is None
