"""Two models on the same documents: the functions and the command."""

import html
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.cli.main import main
from assay.dedup import text_digest
from assay.errors import InputError
from assay.evaluation.compare import compare
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")


def table_of(label: np.ndarray, noise: np.ndarray) -> pd.DataFrame:
    score = label + noise
    n = len(label)
    meaning = {"calibrated": np.clip(score, 0, 5), "p_keep": 1 / (1 + np.exp(2.5 - score)), "keep": score >= 2.5}
    table = pd.DataFrame({"id": [f"d{i}" for i in range(n)], "cluster": range(n), "label": label, "score": score})
    return table.assign(**meaning, grade=np.clip(np.round(score), 0, 5).astype(int), kind=["a", "b", "a"] * (n // 3))


def test_the_better_model_is_better_and_backwards_worse_also_in_slices() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 6, 300).astype(float)
    good, bad = table_of(label, generator.normal(0, 0.5, 300)), table_of(label, generator.normal(0, 3, 300))

    found = compare(good, bad.iloc[::-1], RUBRIC, slice_columns={"kind": "page kind"})
    backwards = compare(bad, good, RUBRIC)

    assert found.sentence().startswith("A is better than B in average precision: +0.")
    assert "also better in: F1" in found.sentence()
    assert backwards.sentence().startswith("A is worse than B")
    assert backwards.differences["f1"].value == pytest.approx(-found.differences["f1"].value)
    assert {(part.value, part.documents) for part in found.slices} == {("a", 200), ("b", 100)}
    assert all(part.differences["spearman"].low > 0 for part in found.slices)
    distance = (good["calibrated"] - bad["calibrated"]).abs()
    assert found.disagreed[0] == good["id"][distance.idxmax()]
    assert sum(sum(v for k, v in row.items() if k != "label") for row in found.decisions) == 300
    json.dumps(found.to_json(), allow_nan=False)


def test_a_model_does_not_differ_from_itself_and_few_documents_get_no_interval() -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 6, 120).astype(float)
    table = table_of(label, generator.normal(0, 1, 120))

    same = compare(table, table, RUBRIC)
    few = compare(table.iloc[:30], table.iloc[:30].assign(score=0.0), RUBRIC)

    assert same.sentence().startswith("A and B do not differ significantly in average precision: +0.000")
    assert "Holm" not in same.sentence()
    assert same.disagreed == []
    assert "too few documents" in few.sentence()
    with pytest.raises(InputError, match="same documents"):
        compare(table, table.iloc[1:], RUBRIC)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, sample: list[dict]) -> Path:
    """The tiny model with a head turned round, which ten more documents have fitted."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"] = -20 * weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    seen = pd.read_parquet(folder / "seen.parquet")
    more = pd.DataFrame({"digest": [text_digest(row["text"]) for row in sample[300:310]], "part": "train"})
    pd.concat([seen, more], ignore_index=True).to_parquet(folder / "seen.parquet", index=False)
    return folder


def test_the_command_leaves_out_documents_that_either_model_has_seen_and_shows_disagreements(
    tiny_model: Path, other: Path, tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    from assay.registry import Registry

    data = tmp_path / "d.parquet"
    pd.DataFrame(sample[180:340]).to_parquet(data, index=False)
    name = Registry(str(tmp_path / "registry")).register(other, {}).name
    given = ["compare", str(tiny_model), name, "--registry", str(tmp_path / "registry"), "--data", str(data)]
    sliced = ["--slice-by", "genre", "--slice-by", "topic"]

    assert main([*given, *sliced, "--output", str(tmp_path / "x.json")]) == 0

    fields, page = json.loads((tmp_path / "x.json").read_text()), (tmp_path / "x.html").read_text()
    assert fields["seen_by"]["b"] == fields["seen_by"]["a"] + 10
    assert fields["left_out_as_seen"] == fields["seen_by"]["b"]
    assert fields["documents"] == 160 - fields["left_out_as_seen"]
    assert fields["models"] == {"a": str(tiny_model), "b": name}
    assert fields["differences"]["f1"]["p_holm"] >= fields["differences"]["f1"]["p"]
    assert fields["differences"]["average_precision"]["p_holm"] == fields["differences"]["average_precision"]["p"]
    assert {"genre", "topic", "length"} <= {part["column"] for part in fields["slices"]}
    assert len(fields["disagreed"]) == 20
    by_id = {row["id"]: row["text"] for row in sample}
    assert by_id[fields["disagreed"][0]][:40].split("\n")[0] in html.unescape(page)
    said = capsys.readouterr().out
    assert fields["sentence"] in said
    assert f"On {fields['documents']} documents that neither has seen" in said  # the heading of a table, which wraps
    assert "A is better by" in page


def test_models_of_another_scale_are_not_compared(
    tiny_model: Path, tmp_path: Path, sample: list[dict], capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(tiny_model, odd)
    info = json.loads((odd / "assay.json").read_text())
    info["rubric"]["threshold"] = 2
    (odd / "assay.json").write_text(json.dumps(info))
    data = tmp_path / "d.parquet"
    pd.DataFrame(sample[300:340]).to_parquet(data, index=False)
    command = ["compare", str(tiny_model), str(odd), "--data", str(data), "--output"]

    assert main([*command, str(tmp_path / "x.json")]) == 2
    assert "different scales or thresholds" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "x.txt")]) == 2
    assert "ends in .json" in capsys.readouterr().err
    assert not list(tmp_path.glob("x.*"))
