"""What an earlier release wrote opens today and is used as if today's code had written it: tests/artefacts/."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay.cli import main
from assay.evaluation import Evaluation
from assay.inference import Scorer, check_golden
from assay.labels import Ledger
from assay.model import ModelInfo
from assay.monitoring import DriftLookLog
from assay.promotion import decisions
from assay.registry import DecisionLog, Registry, keep_verdict
from assay.sources.source import FileSource
from assay.storage import Snapshot, digest_folder, parse_json

ARTEFACTS = Path(__file__).resolve().parents[1] / "artefacts"
RELEASES = sorted(path.name for path in ARTEFACTS.iterdir() if path.is_dir())
Tree = Callable[[Path], dict[str, bytes]]
REGISTRY = ["--registry", "registry"]
CHAMPION = ["--model", "champion", *REGISTRY]
MODELS = ("model", "model-2", "two-rubrics")
LATER = {"left_out", "known_by_bytes_alone", "detectable", "decisions_a_year", "probabilities", "worth"}
LATER |= {"learning", "refit", "calibration_ratio", "calibration_odds", "calibration_slope", "reference_worth"}
"""Fields that today's release adds."""


@pytest.fixture(params=RELEASES, autouse=True)
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the artefacts of a release as the current folder: they name each other by relative paths."""
    folder = shutil.copytree(ARTEFACTS / request.param, tmp_path / "old")
    monkeypatch.chdir(folder)
    return folder


def models(old: Path) -> dict[str, Path]:
    """Return the model folders; the first two are versions of the registry."""
    registry = Registry("registry")
    folders = [old / "registry" / "versions" / version.name / "model" for version in registry.versions()]
    names = {ModelInfo.read(folder).calibration.target: folder for folder in folders}
    return {"model": names["labels"], "model-2": names["f1"], "two-rubrics": old / "two-rubrics"}


def stored_verdict(old: Path) -> dict[str, Any]:
    """Return the verdict that the registry keeps."""
    (path,) = (old / "registry" / "verdicts").iterdir()
    return json.loads(path.read_bytes())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_repeats_its_golden_documents(name: str, old: Path) -> None:
    folder = models(old)[name]

    report = check_golden(Scorer.load(folder), folder)

    assert report.documents == 12
    assert report.passed


def test_complete_scores_are_not_made_again(old: Path, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(old / "scores")

    assert (
        main(["score", "snapshot", *CHAMPION, "--output", "scores", "--rows-per-part", "24", "--processes", "1"]) == 0
    )

    assert "3 of 3 parts exist already" in capsys.readouterr().err
    assert tree(old / "scores") == before


def test_a_missing_part_is_scored_again_and_is_the_same(old: Path) -> None:
    (folder,) = (path.parent for path in (old / "scores").glob("*/_plan.json"))
    before = pd.read_parquet(folder)
    (folder / "_manifest.json").unlink()
    next(iter(sorted(folder.glob("rows-*.parquet")))).unlink()

    assert (
        main(["score", "snapshot", *CHAMPION, "--output", "scores", "--rows-per-part", "24", "--processes", "1"]) == 0
    )

    again = pd.read_parquet(folder)
    assert again.columns.tolist() == before.columns.tolist()
    assert again["id"].tolist() == before["id"].tolist()
    np.testing.assert_allclose(again["score"], before["score"], atol=1e-3)
    np.testing.assert_allclose(again["p_keep"], before["p_keep"], atol=1e-2)


def test_a_model_of_two_rubrics_scores_by_both(old: Path) -> None:
    assert main(["score", "snapshot", "--model", "two-rubrics", "--output", "new"]) == 0
    assert main(["select", "snapshot", "--model", "two-rubrics", "--scores", "new", "--by", "helpful", "--share", ".2",
                 "--output", "by-helpful"]) == 0  # fmt: skip

    assert {"score", "helpful_score"} <= set(pd.read_parquet(next((old / "new").glob("*/_plan.json")).parent).columns)


def test_a_selection_is_recognised(old: Path, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(old / "selection")
    select = ["select", "snapshot", *CHAMPION, "--scores", "scores", "--share", "0.5", "--output"]

    assert main([*select, "selection"]) == 0
    assert "this selection exists already" in capsys.readouterr().err
    assert tree(old / "selection") == before

    assert main([*select, "again"]) == 0
    # The scores are the stored ones, so that the same documents are selected on every machine.
    assert main(["snapshot", "diff", "selection", "again"]) == 0


def test_a_snapshot_is_whole_and_is_recognised(
    old: Path, tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(old / "snapshot"), tree(old / "pieces")
    # The revision of a local file depends on its absolute path, which is another one here.
    revision = Snapshot.open("snapshot").manifest.provenance["sources"][0]["revision"]
    monkeypatch.setattr(FileSource, "revision_of", lambda *_: revision)
    build = ["snapshot", "build", "corpus.jsonl", "--pieces", "pieces", "--preset", "none", "--processes", "1"]

    assert main(["snapshot", "verify", "snapshot"]) == 0
    assert main(["snapshot", "verify", "selection"]) == 0
    assert main(["snapshot", "show", "snapshot"]) == 0
    assert "documents 60" in capsys.readouterr().out
    assert main([*build, "--output", "snapshot"]) == 0
    assert "this snapshot exists already" in capsys.readouterr().err
    assert main([*build, "--output", "again"]) == 0
    assert "1 of 1 pieces exist already" in capsys.readouterr().err
    assert main(["snapshot", "diff", "snapshot", "again"]) == 0

    snapshot, pieces = tree(old / "snapshot"), tree(old / "pieces")
    added = [name for name in pieces if name not in before[1]]
    assert [Path(name).name for name in added] == ["_source.json"], "what is known of the source now"
    assert (snapshot, {name: pieces[name] for name in before[1]}) == before


def test_the_registry_is_listed_and_the_champion_moves(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    champion, other = (models(old)[name].parent.name for name in ("model", "model-2"))

    assert main(["registry", "list", *REGISTRY]) == 0
    listed = capsys.readouterr().out
    assert champion in listed
    assert other in listed
    assert main(["registry", "show", "champion", *REGISTRY]) == 0
    shown = capsys.readouterr().out
    assert f"version    {champion}" in shown
    assert "the first" in shown
    assert "kept as an artefact" in shown

    assert main(["registry", "rollback", *REGISTRY, "--why", "twice is once"]) == 0
    assert "nothing to roll back" in capsys.readouterr().out
    verdict = stored_verdict(old)
    (old / "refused.json").write_text(json.dumps(verdict))
    (old / "passed.json").write_text(json.dumps(verdict | {"verdict": "promoted"}))
    promote = ["registry", "promote", other, *REGISTRY, "--why", "x", "--verdict"]
    assert main([*promote, "refused.json"]) == 2
    assert main([*promote, "passed.json"]) == 2
    assert "this registry has no copy of this verdict" in capsys.readouterr().err
    keep_verdict("registry", Path("passed.json").read_bytes())
    assert main([*promote, "passed.json"]) == 0
    moves = Registry("registry").history("champion")
    assert [(move.number, move.version) for move in moves] == [
        (1, champion), (2, other), (3, champion), (4, other),
    ]  # fmt: skip
    assert moves[1].evidence["said"] == "refused"


def test_the_page_of_the_state_shows_everything(old: Path) -> None:
    champion, other = (models(old)[name].parent.name for name in ("model", "model-2"))
    logs = ["--looks", "looks", "--log", "score-log", "--days", "3650"]

    assert main(["state", *REGISTRY, *logs, "--output", "state.html"]) == 0

    page = (old / "state.html").read_text()
    for words in (champion, other, "kept as an artefact", "Decisions of the workflows", "2026-01-31"):
        assert words in page
    assert "cannot be read" not in page
    (decision,) = DecisionLog("registry").history()
    assert (decision.version, decision.outcome, decision.events) == (other, "promoted", ("deployed", "asked"))
    assert decision.version in Path(DecisionLog("registry").page_of(decision)).read_text()


def test_drift_looks_are_counted_on(old: Path) -> None:
    (before,) = DriftLookLog("looks").history()
    watch = ["watch", *CHAMPION, "--least-documents", "30", "--output", "new.json"]

    assert main([*watch, "--scores", "scores", "--looks", "looks"]) in (0, 1)

    first, second = DriftLookLog("looks").history()
    assert first == before
    assert (second.number, second.version, second.documents) == (2, before.version, before.documents)
    new, stored = (json.loads((old / name).read_text()) for name in ("new.json", "watch.json"))
    assert new.keys() - LATER == stored.keys()
    # The stored scores and the reference are read, and nothing is scored: the statistics are those of the release. Only
    # their certainty is less, because documents in runs count as the independent ones that they are worth.
    assert new["worth"] < new["documents"]
    for name, before in stored["statistics"].items():
        assert new["statistics"][name]["value"] == before["value"]
        assert new["statistics"][name]["p"] >= min(before["p"], 0.5)  # far from certain, shuffles decide


def test_the_old_score_log_is_watched(old: Path) -> None:
    window = ["--since", "2026-01-31T00:00", "--until", "2026-02-01T00:00"]

    # Its lengths rise from row to row: that is one long run, which is worth few independent documents.
    watch = ["watch", *CHAMPION, "--log", "score-log", *window, "--output", "new.json"]
    assert main(watch) == 2
    assert main([*watch, "--least-worth", "20"]) in (0, 1)

    assert json.loads((old / "new.json").read_text())["documents"] == 300


@pytest.mark.parametrize("command", ["evaluate", "compare", "challenge"])
def test_models_are_measured_as_before(command: str, old: Path) -> None:
    """The figures agree with the stored ones but for what another processor changes in the scores."""
    folders = models(old)
    one, two = str(folders["model"]), str(folders["model-2"])
    arguments, before = {
        "evaluate": (["--model", one, "--slice-by", "site"], json.loads((old / "evaluation.json").read_text())),
        "compare": ([one, two], json.loads((old / "comparison.json").read_text())),
        "challenge": ([two, "--slice-by", "site", *REGISTRY], stored_verdict(old)),
    }[command]

    code = main([command, *arguments, "--data", "more.parquet", "--output", "new.json"])

    assert code == (1 if command == "challenge" else 0)
    new = json.loads((old / "new.json").read_text())
    for fields in (new, before):
        for name in ("wear", "latency", "champion_latency"):  # the age of the test set and the speed of the machine
            fields.pop(name, None)
    assert_same_shape(new, before, command)


def assert_same_shape(new: Any, before: Any, where: str) -> None:
    """Assert the same fields and, up to a tolerance, the same numbers; sentences may differ."""
    if new is None and where.rpartition(".")[2] in ("low", "high", "p", "p_better", "p_holm"):
        return  # an interval that today's smallest numbers of documents refuse
    assert type(new) is type(before) or {type(new), type(before)} == {int, float}, where
    if isinstance(before, dict):
        assert new.keys() - LATER == before.keys(), where
        for name in before:
            assert_same_shape(new[name], before[name], f"{where}.{name}")
    elif isinstance(before, float):
        # Ends for precision and recall are exact now: those of the bootstrap were 0.00 to 0.00 where nothing was right.
        exact = where.endswith(tuple(f"{name}.{end}" for name in ("precision", "recall") for end in ("low", "high")))
        np.testing.assert_allclose(new, before, atol=0.1 if exact else 0.05, err_msg=where)


def test_a_stored_evaluation_opens(old: Path) -> None:
    for name, folder in (*models(old).items(), ("evaluation", old)):
        stored = (folder / "evaluation.json").read_bytes()
        evaluation = parse_json(Evaluation, stored, what="evaluation.json", where=name)

        assert json.loads(json.dumps(evaluation.to_json())).keys() - LATER <= json.loads(stored).keys()
        assert evaluation.documents > 50


def test_the_use_of_a_test_set_is_counted_on(old: Path) -> None:
    ((digest, (before,)),) = decisions("registry", []).items()

    code = main(["challenge", "two-rubrics", *REGISTRY, "--data", "more.parquet", "--output", "new.json"])

    assert code in (0, 1)
    assert "use 2 since" in (old / "new.json").read_text()
    first, second = decisions("registry", [])[digest]
    assert first == before
    assert second.challenger == digest_folder(old / "two-rubrics")


def test_the_ledger_keeps_the_parts_and_grows(old: Path, sample: list[dict]) -> None:
    ledger = Ledger("ledger")
    known = ledger.read()
    ids = [row["id"] for row in sample[:300]]
    assert set(known) == set(ids)
    parts = pd.DataFrame({"id": [*ids, "new"], "part": [*(known[id] for id in ids), "train"]})

    ledger.append(parts, known)

    assert ledger.read() == known | {"new": "train"}
    assert ledger.number() == 2


@pytest.mark.full
def test_training_uses_the_old_ledger(
    old: Path, sample: list[dict], tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.DataFrame(sample[:300]).to_parquet("labels.parquet", index=False)
    small = ["--rubric", "education", "--encoder", str(tiny_encoder), "--window-tokens", "48", "--epochs", "1"]

    assert main(["train", "--data", "labels.parquet", "--output", "new", *small, "--ledger", "ledger"]) == 0

    assert "300 kept from the ledger" in capsys.readouterr().err
