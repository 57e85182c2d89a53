"""Models of several rubrics: write, read, and view one by one. Models of one rubric are unchanged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.errors import InputError
from assay.model import Aspect, Calibration, ModelInfo, Windows, load_model, new_model, output_layer, save_model
from assay.rubric import Rubric, load_rubric

LEGAL, FUN = Rubric("legal", 0, 3, 2), Rubric("fun", 1, 9, 5)


def calibration(rubric: Rubric) -> Calibration:
    labels = np.linspace(rubric.low, rubric.high, 40).round()
    return Calibration.fit(labels + 0.1, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)


@pytest.fixture
def info(tiny_encoder: Path) -> ModelInfo:
    return ModelInfo(
        str(tiny_encoder),
        load_rubric("education"),
        Windows(48),
        others=(Aspect(LEGAL, calibration(LEGAL)), Aspect(FUN)),
    )


def test_what_is_written_is_read_again(info: ModelInfo, tmp_path: Path) -> None:
    info = replace(info, calibration=calibration(info.rubric))
    info.write(tmp_path)

    assert ModelInfo.read(tmp_path) == info


def test_a_model_of_one_rubric_is_written_and_read_as_in_earlier_releases(info: ModelInfo, tmp_path: Path) -> None:
    alone = replace(info, others=())
    alone.write(tmp_path)

    written = json.loads((tmp_path / "assay.json").read_text())
    keys = ["format", "encoder", "rubric", "windows", "languages", "precision", "calibration", "lineage"]
    assert list(written) == keys, "what releases of one rubric wrote, and read"
    assert ModelInfo.read(tmp_path) == alone


def test_assay_json_of_earlier_releases_opens(info: ModelInfo, tmp_path: Path) -> None:
    """The first releases wrote neither `precision` nor `others`, and calibrations without `target` and `curve`."""
    alone = replace(info, calibration=calibration(info.rubric), others=())
    fields = alone.to_json()
    del fields["precision"], fields["calibration"]["target"], fields["calibration"]["curve"]
    (tmp_path / "assay.json").write_text(json.dumps(fields))

    assert alone.calibration is not None
    assert ModelInfo.read(tmp_path) == replace(alone, calibration=replace(alone.calibration, curve=None))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"rubric": {}}, r"others\.0\.rubric\.name: field required"),
        ({"calibration": None}, r"others\.0\.rubric: field required"),
        ({"rubric": {"name": "x"}, "calibration": 3}, r"others\.0\.rubric\.low: field required"),
    ],
)
def test_a_damaged_further_rubric_is_refused(info: ModelInfo, tmp_path: Path, damage: dict, fault: str) -> None:
    (tmp_path / "assay.json").write_text(json.dumps({**info.to_json(), "others": [damage]}))

    with pytest.raises(InputError, match=f"assay.json cannot be read: {fault}"):
        ModelInfo.read(tmp_path)


@pytest.mark.parametrize("place", ["", "rubric", "windows", "calibration"])
def test_an_unknown_field_is_refused(info: ModelInfo, tmp_path: Path, place: str) -> None:
    fields = replace(info, calibration=calibration(info.rubric)).to_json()
    (fields[place] if place else fields)["new"] = 1
    (tmp_path / "assay.json").write_text(json.dumps(fields))

    with pytest.raises(InputError, match=r"assay\.json cannot be read: .*new: unexpected keyword argument"):
        ModelInfo.read(tmp_path)


def test_a_view_has_one_rubric_as_the_only_one(info: ModelInfo) -> None:
    legal = info.view("legal")

    assert (legal.rubric, legal.calibration, legal.others) == (LEGAL, calibration(LEGAL), ())
    assert (legal.windows, legal.encoder) == (info.windows, info.encoder)
    assert info.view("education") == replace(info, others=())
    assert [info.output_of(name) for name in ("education", "legal", "fun")] == [0, 1, 2]
    with pytest.raises(InputError, match=r"no rubric 'nothing'.*education, legal, fun"):
        info.view("nothing")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["education"], "two rubrics of one model are called 'education'"),
        (["legal", "legal"], "two rubrics of one model are called 'legal'"),
        (["legal value"], "'legal value' is no name for a further rubric"),
        (["../legal"], "is no name for a further rubric"),
        (["p"], "two columns of the scores would be called p_keep"),
        (["a", "a_p"], "two columns of the scores would be called a_p_keep"),
    ],
)
def test_names_that_clash_are_refused(info: ModelInfo, names: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        replace(info, others=tuple(Aspect(Rubric(name, 0, 5, 3)) for name in names))


@pytest.mark.parametrize("others", [(), (Aspect(LEGAL),), (Aspect(LEGAL), Aspect(FUN))])
def test_a_network_has_an_output_for_each_rubric_under_a_new_head(
    info: ModelInfo, tmp_path: Path, others: tuple[Aspect, ...]
) -> None:
    from transformers import AutoModelForSequenceClassification

    info = replace(info, others=others)
    first, again, another = (new_model(info, seed=seed) for seed in (0, 0, 1))

    layer = output_layer(first.network)
    assert layer.weight.shape == (1 + len(others), 32)
    assert torch.equal(layer.weight, output_layer(again.network).weight)
    # The tiny encoder was saved with a head of two outputs, which must not be kept.
    assert not torch.equal(layer.weight, output_layer(another.network).weight)
    assert len(layer.weight.unique(dim=0)) == 1 + len(others)

    save_model(first, tmp_path)
    assert torch.equal(output_layer(load_model(tmp_path).network).weight, layer.weight)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert plain.config.num_labels == 1 + len(others)
    if others:
        assert list(plain.config.id2label.values()) == ["education", *(aspect.rubric.name for aspect in others)]


def test_weights_of_another_number_of_rubrics_are_refused(info: ModelInfo, tmp_path: Path) -> None:
    save_model(new_model(info, seed=0), tmp_path)
    replace(info, others=info.others[:1]).write(tmp_path)

    with pytest.raises(InputError, match="the model cannot be loaded"):
        load_model(tmp_path)
