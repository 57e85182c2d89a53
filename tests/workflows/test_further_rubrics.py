"""`pyflyte run` of a training by two rubrics in one network."""

import json
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout

from assay.labels.parts import read_seen
from assay.model import ModelInfo

# tests/assay/test_several_rubrics.py shows the same without a workflow.
pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("further"), tiny_encoder)
    rows = [json.loads(line) for line in made.source.read_text().splitlines()]
    made.source.write_text("".join(json.dumps(row) + "\n" for row in rows[:240]))
    labelled = [{"id": f"n{n}", "text": r["text"], "label": min(len(r["text"]) // 500, 3)} for n, r in enumerate(rows)]
    pd.DataFrame(labelled[120:360]).to_parquet(made.root / "length.parquet", index=False)
    return made


@pytest.fixture(scope="module")
def first(checkout: Checkout) -> tuple[dict[str, bool], str, str]:
    return checkout.run("--tracking", "none", also=[f"length:2={checkout.root}/length.parquet"])


def model_of(checkout: Checkout) -> Path:
    (version,) = (checkout.work / "registry" / "versions").iterdir()
    return version / "model"


def test_the_registered_model_scores_by_both_rubrics_and_was_measured_by_both(
    checkout: Checkout, first: tuple[dict[str, bool], str, str]
) -> None:
    model = model_of(checkout)
    info = ModelInfo.read(model)
    assert [aspect.rubric.name for aspect in info.aspects] == ["education", "length"]
    for aspect, name in zip(info.aspects, ("evaluation.json", "evaluation-length.json"), strict=True):
        assert aspect.calibration is not None
        evaluation = json.loads((model / name).read_text())
        assert evaluation["rubric"]["name"] == aspect.rubric.name
        assert evaluation["documents"] > 30
        assert set(evaluation["baselines"]) == {"majority", "length", "tfidf_ridge", "encoder_ridge"}
        assert [gate["name"] for gate in evaluation["gates"]] == ["shortcuts", "counterfactuals", "leak"]
    assert "Rubric length" in (model / "report-length.html").read_text()
    assert "## Rubric length" in (model / "README.md").read_text()


def test_a_text_of_both_sets_has_one_part(checkout: Checkout, first: tuple[dict[str, bool], str, str]) -> None:
    lineage = ModelInfo.read(model_of(checkout)).lineage
    own, further = lineage["documents"], lineage["others"]["length"]["documents"]
    parts = pd.Series(read_seen(model_of(checkout))).value_counts()

    assert parts["train"] < own["train"] + further["train"], "half of the documents are in both"
    assert parts.sum() + max(own["test"], further["test"]) <= 360, "what measures by one rubric fitted by none"


def test_changed_labels_by_the_further_rubric_alone_run_the_training_again(
    checkout: Checkout, first: tuple[dict[str, bool], str, str]
) -> None:
    again, _, err = checkout.run("--tracking", "none", also=[f"length:2={checkout.root}/length.parquet"])
    assert all(again.values())
    assert "by length" not in err

    file = checkout.root / "length.parquet"
    table = pd.read_parquet(file)
    table.loc[0, "label"] = 3 - table.loc[0, "label"]
    table.to_parquet(file, index=False)
    changed, _, err = checkout.run("--tracking", "none", also=[f"length:2={file}"])

    assert {stage for stage, hit in changed.items() if hit} == {"Acquire", "Validate", "Baselines"}
    assert "documents by length" in err
