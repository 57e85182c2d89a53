"""Education and length trained in one network, from the command line to sidecars, selection and evaluation."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.cli.main import main
from assay.errors import InputError
from assay.inference import Scorer, check_golden
from assay.labels.parts import read_seen
from assay.model import ModelInfo, Profile
from assay.pipeline.request import Labels
from assay.selection import mix

MEANING = ["score", "calibrated", "p_keep", "grade", "keep"]


def length_labels(rows: list[dict]) -> list[dict]:
    """The same documents under other ids, labelled 0 to 3 by their length."""
    return [
        {"id": f"n{n}", "text": row["text"], "label": min(len(row["text"]) // 500, 3)} for n, row in enumerate(rows)
    ]


def write(path: Path, rows: list[dict]) -> str:
    pd.DataFrame(rows).to_parquet(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: list[dict]) -> Path:
    """A folder with the model folder `model` of two rubrics, whose sets have half of their documents in common."""
    folder = tmp_path_factory.mktemp("joint")
    first = write(folder / "education.parquet", sample[:240])
    second = write(folder / "length.parquet", length_labels(sample[120:360]))
    arguments = ["train", "--data", first, "--rubric", "education", "--also", f"length:2={second}"]
    arguments += ["--output", str(folder / "model"), "--encoder", str(tiny_encoder)]
    assert main([*arguments, "--window-tokens", "48", "--epochs", "2"]) == 0
    return folder


def test_the_model_folder_has_results_of_every_rubric(joint: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    model = joint / "model"
    info = ModelInfo.read(model)
    assert [aspect.rubric.name for aspect in info.aspects] == ["education", "length"]
    assert info.others[0].rubric.threshold == 2
    for aspect, name in zip(info.aspects, ("evaluation.json", "evaluation-length.json"), strict=True):
        evaluation = json.loads((model / name).read_text())
        assert evaluation["rubric"]["name"] == aspect.rubric.name
        assert aspect.calibration is not None
        assert aspect.calibration.high == aspect.rubric.high
        assert set(evaluation["baselines"]) == {"majority", "length", "tfidf_ridge", "encoder_ridge"}
        assert [gate["name"] for gate in evaluation["gates"]] == ["shortcuts", "counterfactuals", "leak"]
        assert evaluation["documents"] > 30
    assert "Rubric length" in (model / "report-length.html").read_text()
    card = (model / "README.md").read_text()
    assert "## Rubric length" in card
    assert info.lineage["others"]["length"]["documents"]["train"] > 100
    assert check_golden(Scorer.load(model), model).passed
    plain = AutoModelForSequenceClassification.from_pretrained(model)
    assert plain.config.id2label == {0: "education", 1: "length"}


def test_no_test_text_of_one_rubric_fitted_the_other(joint: Path, sample: list[dict]) -> None:
    from assay.dedup import text_digest

    seen = read_seen(joint / "model")
    counts = pd.Series(seen).value_counts()
    documents = ModelInfo.read(joint / "model").lineage
    both = [documents["documents"], documents["others"]["length"]["documents"]]
    assert counts["train"] < sum(each["train"] for each in both), "what is in both is one document"
    known = {text_digest(row["text"]) for row in sample[:360]}
    assert set(seen) == known, "what ships was fitted to all of them"
    # Each set has a fifth for test, of which the other set may hold some for test and nothing else.
    measured = [row for row in sample[:360] if seen[text_digest(row["text"])] == "test"]
    assert len(measured) >= 48
    assert sum(row in sample[:240] for row in measured) == both[0]["test"]
    assert sum(row in sample[120:360] for row in measured) == both[1]["test"]


def test_a_corpus_is_scored_in_one_pass_and_selected_by_either_rubric(joint: Path, sample: list[dict]) -> None:
    model, scores = joint / "model", joint / "scores"
    rows = [{"id": row["id"], "text": row["text"]} for row in sample[300:420]]
    rows[7]["text"] = ""
    corpus = write(joint / "corpus.parquet", rows)

    score = [
        "score",
        corpus,
        "--model",
        str(model),
        "--output",
        str(scores),
        "--rows-per-part",
        "50",
        "--processes",
        "1",
    ]
    assert main(score) == 0

    (plan,) = scores.glob("*/_plan.json")
    table = pd.read_parquet(plan.parent)
    assert table.columns.tolist()[-5:] == [f"length_{name}" for name in MEANING]
    scored = table["reason"].isna()
    assert (~scored).sum() == 1
    for name in MEANING:
        assert table[f"length_{name}"].notna().tolist() == scored.tolist()
    alone = Scorer.load(model, rubric="length").score([row["text"] for row in rows])
    np.testing.assert_allclose(table.loc[scored, "length_score"], alone.loc[scored, "score"], atol=1e-5)

    select = ["select", corpus, "--model", str(model), "--scores", str(scores), "--share", "0.2"]
    for by, column in (("education", "score"), ("length", "length_score")):
        output = joint / f"by-{by}"
        assert main([*select, "--by", by, "--output", str(output), "--keep-duplicates"]) == 0
        selected = pd.concat(
            [pd.read_parquet(path) for path in output.glob("*.parquet") if not path.name.startswith("_")]
        )
        able = table[scored & table["in_scope"]].sort_values([column, "id"], ascending=[False, True])
        assert set(selected["id"]) == set(able["id"].head(len(selected)))
        assert sorted(selected["score"]) == sorted(able[column].head(len(selected)))
    manifest = json.loads((joint / "by-length" / "manifest.json").read_text())
    assert manifest["provenance"]["request"]["by"] == "length"
    assert "(by length)" in (joint / "by-length" / "README.md").read_text()


def test_the_mix_of_a_corpus_is_compared_by_the_rubric_that_selects(
    joint: Path, sample: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, scores = joint / "model", joint / "scores-of-long"
    reference = Profile.read(model, "length")
    assert (reference.low, reference.high) == (0, 3)
    assert reference.documents == ModelInfo.read(model).lineage["others"]["length"]["documents"]["calibration"]
    long = sorted((row["text"] for row in sample), key=len)[-100:]
    corpus = write(joint / "long.parquet", [{"id": str(n), "text": text} for n, text in enumerate(long)])
    assert main(["score", corpus, "--model", str(model), "--output", str(scores)]) == 0
    select = ["select", corpus, "--model", str(model), "--scores", str(scores), "--share", "0.5", "--keep-duplicates"]
    mixes = {}
    for least, name in ((10, "compared"), (1_000, "too-few")):
        monkeypatch.setattr(mix, "LEAST_REFERENCE", least)
        for by in ("education", "length"):
            output = joint / f"{name}-by-{by}"
            assert main([*select, "--by", by, "--output", str(output)]) == 0
            mixes[name, by] = json.loads((output / "manifest.json").read_text())["provenance"]["mix"]

    for aspect in ModelInfo.read(model).aspects:
        assert aspect.calibration is not None and aspect.calibration.curve is not None
        compared, curve = mixes["compared", aspect.rubric.name], aspect.calibration.curve
        assert compared["labelled"] == curve.positive / curve.documents
        assert 0 <= compared["distance"] <= 1
    assert f"the reference has {reference.documents} documents" in mixes["too-few", "length"]


def test_a_rubric_of_several_is_evaluated_elsewhere(
    joint: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(joint / "more.parquet", length_labels(sample[300:450]))
    evaluate = ["evaluate", "--model", str(joint / "model"), "--data", data]

    assert main([*evaluate, "--rubric", "length", "--output", str(joint / "r.json")]) == 0

    report = json.loads((joint / "r.json").read_text())
    assert report["rubric"]["name"] == "length"
    assert report["left_out_as_seen"] > 30, "documents that fitted any rubric are left out"
    capsys.readouterr()
    assert main([*evaluate, "--rubric", "x", "--output", str(joint / "x.json")]) == 2
    assert "this model has no rubric 'x'. Name one of: education, length" in capsys.readouterr().err
    assert not (joint / "x.json").exists()


def test_a_rubric_is_parsed_from_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.md").write_text("---\nname: own\nlow: 0\nhigh: 5\nthreshold: 3\n---\n")
    monkeypatch.chdir(tmp_path)

    assert Labels.parse("legal=s3://a/b?c=d") == Labels("s3://a/b?c=d", name="legal")
    assert Labels.parse("legal:2.5=a.parquet") == Labels("a.parquet", threshold=2.5, name="legal")
    assert Labels.parse("education:4=a.parquet") == Labels("a.parquet", "education", 4.0)
    own = Labels.parse("own.md:2=a.parquet").given()
    assert own is not None
    assert (own.name, own.threshold) == ("own", 2)
    for bad in ("legal", "=a", "legal=", ":3=a", "legal:much=a"):
        with pytest.raises(InputError):
            Labels.parse(bad)
    with pytest.raises(InputError, match=r"no rubric 'other.md'"):
        Labels.parse("other.md=a").given()


def test_the_service_answers_for_every_rubric_as_its_description_says(joint: Path, sample: list[dict]) -> None:
    import jsonschema

    from assay.serving.assayer import Assayer
    from assay.serving.documents import Document
    from assay.serving.openapi import describe
    from assay.serving.settings import ServeSettings

    assayer = Assayer(joint / "model", "1")
    assayer.prepare()
    assert assayer.state == "ready"
    texts = [sample[400]["text"], ""]

    answers = assayer.score([Document(str(n), text, float("inf")) for n, text in enumerate(texts)])

    expected = Scorer.load(joint / "model", rubric="length").score(texts[:1])
    assert answers[0] is not None
    assert answers[1] is not None
    assert answers[0]["rubrics"]["length"]["score"] == pytest.approx(expected["score"][0], abs=1e-5)
    assert answers[1]["rubrics"] == {"length": dict.fromkeys(MEANING)}
    described = describe(ServeSettings(), "1", tokens=False)["components"]
    (explanation,) = assayer.explain([Document("", texts[0], float("inf"))])
    for name, answer in [("Answer", answers[0]), ("Answer", answers[1]), ("Explanation", explanation)]:
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{name}", "components": described})
    with pytest.raises(jsonschema.ValidationError):
        odd = {**answers[0], "rubrics": {"length": {"score": 1.0}}}
        jsonschema.validate(odd, {"$ref": "#/components/schemas/Answer", "components": described})
