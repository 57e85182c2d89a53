"""A corpus scored by a backend: what is read again, what the measurement promises, and what is refused."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.backends import REFERENCE
from assay.cli.main import main
from assay.errors import InputError
from assay.inference import Scorer, write_golden
from assay.model import PACKAGED, Calibration, ModelInfo, Windows, new_model, save_model
from assay.rubric import load_rubric
from assay.scoring import Measurement, PartFolder, Scores, cost_log, find_scores
from assay.scoring.measurement import CutPlace, compare, fit_band
from assay.storage import Snapshot

Tree = Callable[[Path], dict[str, bytes]]
INT8 = ["--backend", "onnxruntime-int8", "--backend-documents", "200"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """A new head on the packaged encoder. Scores of a tiny one are so much alike that int8 has all read again."""
    folder, texts = tmp_path_factory.mktemp("new"), [row["text"] for row in sample[:60]]
    info = ModelInfo(PACKAGED, load_rubric("education"), Windows(32, 1))
    scorer = Scorer(new_model(info, seed=0))
    scores = scorer.read(texts).score
    labels = np.where(scores > np.quantile(scores, 0.7), 4.0, np.resize([0.0, 2.0], len(scores)))
    scorer.model.info = replace(info, calibration=Calibration.fit(scores, labels, low=0, high=5, threshold=3))
    save_model(scorer.model, folder)
    write_golden(scorer, [row["id"] for row in sample[:60]], texts, folder)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model: Path, sample: list[dict]) -> Path:
    """A corpus of 400 documents, scored by int8 in `scores`."""
    folder = tmp_path_factory.mktemp("backend")
    rows = [{"id": row["id"], "text": row["text"], "genre": row["genre"]} for row in sample[:400]]
    rows[7]["text"] = ""
    pd.DataFrame(rows).to_parquet(folder / "corpus.parquet", index=False)
    assert main([*command(folder, model), *INT8]) == 0
    return folder


def command(place: Path, model: Path, root: str = "scores") -> list[str]:
    given = ["score", str(place / "corpus.parquet"), "--model", str(model), "--output", str(place / root)]
    return [*given, "--rows-per-part", "150", "--processes", "1"]


def scores_of(root: Path, *, backend: bool) -> Scores:
    """The scores of the corpus below a root; `backend`: those of one, not of the reference."""
    found = [PartFolder.open(str(manifest.parent)) for manifest in root.glob("*/_manifest.json")]
    (folder,) = [each for each in found if each.plan.rows == 400 and bool(each.plan.backend) == backend]
    return Scores.complete(folder)


def whole(scores: Scores) -> pd.DataFrame:
    return pd.concat([table for _, table in scores.rows()], ignore_index=True)


@pytest.fixture(scope="module")
def exact(place: Path, model: Path) -> pd.DataFrame:
    assert main(command(place, model, "exact")) == 0
    return whole(scores_of(place / "exact", backend=False))


def test_near_the_cut_are_the_scores_of_the_reference_and_elsewhere_mapped_ones(
    place: Path, exact: pd.DataFrame, model: Path
) -> None:
    scores = scores_of(place / "scores", backend=True)
    table, backend = whole(scores), scores.folder.plan.backend
    assert backend is not None
    band, cut = backend.bands[0], ModelInfo.read(model).calibration.keep_cut
    assert band.low is not None
    assert band.high is not None
    assert band.low < cut < band.high

    inside = table["score"].between(band.low, band.high)
    # Alone or in a batch the reference differs by its rounding.
    read_again = np.isclose(table["score"], exact["score"], atol=1e-5, rtol=0)
    assert 0 < inside.sum() < 400
    assert (read_again | ~inside | table["score"].isna()).all()
    assert not read_again[~inside & table["score"].notna()].all()
    assert np.nanmax(np.abs(table["score"] - exact["score"])) < 0.25
    other = ["score", "calibrated", "p_keep", "grade", "keep"]
    pd.testing.assert_frame_equal(table.drop(columns=other), exact.drop(columns=other))
    measured = Measurement.of(scores.folder)
    assert measured is not None
    assert (table["keep"] != exact["keep"]).sum() <= measured.bound * exact["keep"].sum()


def test_the_measurement_counts_what_it_read(place: Path, capsys: pytest.CaptureFixture[str], model: Path) -> None:
    found = Measurement.of(scores_of(place / "scores", backend=True).folder)

    assert found is not None
    assert (found.name, found.asked, found.rates) == ("onnxruntime-int8", "onnxruntime-int8", {})
    assert 140 <= found.documents <= 150
    assert found.changed <= 2
    assert found.changed < found.bound * found.kept
    assert main([*command(place, model), *INT8]) == 0
    said = capsys.readouterr()
    assert f"onnxruntime-int8 computes the network, and pytorch reads {found.again / found.documents:.1%}" in said.out
    assert "Measure the backend" not in said.err


@pytest.mark.full
def test_the_same_again_scores_nothing_and_two_processes_write_the_same(place: Path, model: Path, tree: Tree) -> None:
    before, folder = tree(place / "scores"), Path(scores_of(place / "scores", backend=True).folder.url)
    runs = len(list((place / "scores" / "costs").iterdir()))
    again = [*command(place, model)[:-1], "2", *INT8]

    assert main(again) == 0
    assert tree(place / "scores") == before
    assert len(list((place / "scores" / "costs").iterdir())) == runs
    for part in folder.glob("rows-*"):
        part.unlink()
    assert main(again) == 0
    assert tree(place / "scores") == before


def test_the_time_of_each_stage_is_in_the_ledger(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = cost_log(str(place / "scores")).history()

    assert all({"reading", "tokenizing", "model", "language", "writing"} <= set(cost.stages) for cost in costs)
    assert all(0 < (cost.busy or 0) <= 1 for cost in costs)
    page = place / "state.html"
    assert main(["state", "--scores", str(place / "scores"), "--output", str(page)]) == 0
    assert ">busy<" in page.read_text()


def test_the_reference_goes_before_a_backend_where_both_scored(place: Path, model: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    version = Snapshot.open(next(str(one) for one in (tmp_path / "scores" / "corpora").iterdir())).manifest.version
    assert find_scores(str(tmp_path / "scores"), version).folder.plan.backend

    for folder in (place / "exact").glob("*"):
        if not (tmp_path / "scores" / folder.name).exists():
            shutil.copytree(folder, tmp_path / "scores" / folder.name)

    assert find_scores(str(tmp_path / "scores"), version).folder.plan.backend is None


@pytest.mark.full
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_selection_says_what_is_promised_of_its_cut(
    share: float, place: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(place, model, "share"), *INT8, "--backend-share", "0.2"]) == 0

    given = ["select", str(place / "corpus.parquet"), "--model", str(model), "--scores", str(place / "share")]
    assert main([*given, "--share", str(share), "--output", str(tmp_path / "best")]) == 0

    page = (tmp_path / "best" / "report.html").read_text()
    assert "onnxruntime-int8 computes the network" in page
    assert ("lies outside of what was read again" in page) == (share == 0.6)


@pytest.mark.full
def test_auto_measures_once_and_keeps_to_its_choice(
    place: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_parquet(place / "corpus.parquet")
    pd.concat([table] * 3).assign(id=[str(n) for n in range(1_200)]).to_parquet(tmp_path / "corpus.parquet")
    auto = [*command(tmp_path, tiny_model), "--backend", "auto", "--backend-documents", "100"]

    assert main(auto) == 0
    first = capsys.readouterr()
    (place_of,) = (tmp_path / "scores" / "backends").glob("*.json")
    told = json.loads(place_of.read_text())
    assert main(auto) == 0

    assert told["asked"] == "auto"
    assert {"pytorch", "onnxruntime-int8", "openvino-int8"} <= set(told["rates"])
    chosen = max(told["rates"], key=lambda name: told["rates"][name])
    assert told["name"] in (chosen, REFERENCE)
    assert "Choose a backend" in first.err
    assert "Choose a backend" not in capsys.readouterr().err


def test_auto_leaves_a_small_corpus_to_the_reference(
    place: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(place / "corpus.parquet", tmp_path)

    assert main([*command(tmp_path, tiny_model), "--backend", "auto"]) == 0

    assert "fewer than 40,000 documents: pytorch scores them" in capsys.readouterr().err
    plan = scores_of(tmp_path / "scores", backend=False).folder.plan
    assert plan.config.backend == REFERENCE


@pytest.mark.full
def test_an_export_that_scores_the_golden_documents_differently_is_not_used(
    place: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(model, tmp_path / "model")
    golden = [json.loads(line) for line in (tmp_path / "model" / "golden.jsonl").read_text().splitlines()]
    lines = [json.dumps({**row, "score": row["score"] + 1}) + "\n" for row in golden]
    (tmp_path / "model" / "golden.jsonl").write_text("".join(lines))
    shutil.copy(place / "corpus.parquet", tmp_path)

    assert main([*command(tmp_path, tmp_path / "model"), *INT8]) == 2

    said = capsys.readouterr().err
    assert "onnxruntime-int8 scores the golden documents differently: off by 1" in said
    assert "Give another backend, or none" in said
    assert not list((tmp_path / "scores").glob("backends/*"))


def test_a_network_that_is_damaged_or_gone_is_told(
    place: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    shutil.copy(place / "corpus.parquet", tmp_path)
    folder = Path(scores_of(tmp_path / "scores", backend=True).folder.url)
    next(folder.glob("rows-*")).unlink()
    (network,) = (tmp_path / "scores" / "backends").glob("*/network.onnx")
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    network.write_bytes(data)
    again = [*command(tmp_path, model), *INT8]

    assert main(again) == 2
    assert "this exported network is not what was written" in capsys.readouterr().err
    shutil.rmtree(network.parent)
    assert main(again) == 2
    assert "the exported network of these scores is missing" in capsys.readouterr().err
    assert len(list(folder.glob("rows-*"))) == 2


def test_the_measurement_of_another_corpus_is_told(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "scores", tmp_path / "scores")
    scores = scores_of(tmp_path / "scores", backend=True)
    (file,) = (tmp_path / "scores" / "backends").glob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "corpus": "0" * 64}))

    with pytest.raises(InputError, match="this measurement is of another corpus, model or backend"):
        Measurement.of(scores.folder)
    file.unlink()
    with pytest.raises(InputError, match="the measurement of this backend is missing"):
        Measurement.of(scores.folder)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(("noise", "tail"), [(0.03, 0), (0.1, 0), (0.03, 0.02), (0.03, 0.2)])
def test_the_bound_holds_in_as_many_draws_as_it_says(noise: float, tail: float, share: bool) -> None:
    """Also where some documents differ far more than those that the band was made of."""
    generator, runs, count = np.random.default_rng(3), 400, 20_000
    exact = np.repeat(generator.normal(2, 0.6, count // 4), 4)
    wild = generator.random(count) < tail
    fast = 0.9 * exact + 0.3 + generator.normal(0, noise, count) + np.where(wild, generator.normal(0, 0.6, count), 0)
    cut = float(np.quantile(exact, 0.9))
    broken = 0
    for _ in range(runs):
        rows = generator.choice(count, 800, replace=False)
        first, rest = rows[:200], rows[200:]
        at, low, high = np.quantile(exact[rows], [0.9, 0.88, 0.92]) if share else (cut, cut, cut)
        band = fit_band(fast[first], exact[first], CutPlace(at, low, high))
        promised = replace(
            Measurement("", "", "", ""), **compare([band], fast[rest, None], exact[rest, None], at)
        ).bound
        true = compare([band], fast[:, None], exact[:, None], cut)
        broken += true["changed"] / true["kept"] > promised

    assert broken / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_band_needs_scores_that_differ() -> None:
    with pytest.raises(InputError, match=r"too few scores to compare a backend with.*Draw more"):
        fit_band(np.ones(30), np.arange(30.0), CutPlace(1, 1, 1))
