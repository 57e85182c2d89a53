"""Other libraries compute the same network: what they give, what they refuse, and what is read again near a cut."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.backends import BACKENDS
from assay.errors import InputError
from assay.inference import Band, Scorer, arithmetic_of, check_golden, export_network, is_exported, require_backend
from assay.inference import backends as backends_module
from assay.inference.near_cut import CheckedReader
from assay.inference.readings import Readings
from assay.model import QualityModel

HERE = [name for name in BACKENDS[1:] if not (name.startswith("openvino") and name.endswith("bf16"))]
"""What every machine can compute, if slowly."""


@pytest.fixture(scope="module")
def scorer(tiny_model: Path) -> Scorer:
    return Scorer.load(tiny_model)


@pytest.fixture(scope="module")
def texts(sample: list[dict]) -> list[str]:
    return [row["text"] for row in sample[240:300]]


@pytest.fixture(scope="module")
def by(scorer: Scorer, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scorer]:
    made: dict[str, Scorer] = {}

    def load(backend: str) -> Scorer:
        if backend not in made:
            folder = tmp_path_factory.mktemp(backend)
            assert isinstance(scorer.model, QualityModel)
            if is_exported(backend):
                export_network(scorer.model, backend, texts, folder)
            made[backend] = scorer.with_backend(backend, folder)
        return made[backend]

    return load


@pytest.mark.parametrize("backend", HERE)
def test_a_backend_gives_the_scores_of_its_arithmetic(
    backend: str, by: Callable[[str], Scorer], scorer: Scorer, texts: list[str], tiny_model: Path
) -> None:
    expected, found = scorer.read(texts, features=True), by(backend).read(texts, features=True)

    arithmetic = arithmetic_of(backend, "fp32")
    far = {"fp32": 1e-5, "bf16": 0.02, "int8": 0.25}[arithmetic]
    assert np.abs(found.score - expected.score).max() < far
    assert arithmetic == "fp32" or (found.score != expected.score).any()
    assert found.features is not None
    assert np.abs(found.features - expected.features).max() < 10 * far
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_array_equal(found.read, expected.read)
    assert check_golden(by(backend), tiny_model, arithmetic).passed


@pytest.mark.parametrize("backend", ["onnxruntime-fp32", "openvino-fp32"])
def test_a_backend_scores_alone_as_in_a_batch_and_every_length(
    backend: str, by: Callable[[str], Scorer], texts: list[str]
) -> None:
    given = ["", "a", "two words", texts[0] * 9, *texts[:9]]

    together = by(backend).read(given).score

    np.testing.assert_allclose(together, [by(backend).read([text]).score[0] for text in given], atol=1e-5)


def test_windows_of_a_backend_average_to_its_score(by: Callable[[str], Scorer], texts: list[str]) -> None:
    windows = by("onnxruntime-int8").windows(texts[3])

    assert np.mean([window.score for window in windows]) == pytest.approx(by("onnxruntime-int8").read(texts[3:4]).score)


@pytest.mark.full
def test_openvino_reports_nothing_of_its_use() -> None:
    assert importlib.metadata.version("openvino-telemetry")  # it comes with openvino: else there were nothing to show
    code = (
        "import sys; from assay.inference import backends\n"
        "backends._openvino(); import nncf, openvino\n"
        "from openvino.tools.ovc import telemetry\n"
        "print(sys.modules['openvino_telemetry'], type(telemetry).__module__)"
    )

    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["None", "openvino.tools.ovc.telemetry_stub"]


def test_a_backend_that_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no backend 'tensorrt'.*openvino-int8"):
        require_backend("tensorrt")
    monkeypatch.setattr(backends_module, "processor_features", lambda: {"avx2"})
    with pytest.raises(InputError, match=r"no bf16, and openvino-bf16 would compute in fp32.*or auto"):
        require_backend("openvino-bf16")
    assert not [name for name in backends_module.worth_measuring() if name.endswith("bf16")]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "nncf" else object())
    with pytest.raises(InputError, match=r"not installed: nncf.*extra `backends`"):
        require_backend("openvino-int8")
    assert "openvino-int8" not in backends_module.worth_measuring()
    require_backend("openvino-fp32")


def test_a_network_that_is_damaged_or_missing_is_refused(scorer: Scorer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="openvino-fp32 computes an exported network, and there is none"):
        scorer.with_backend("openvino-fp32", None)
    for backend in ("onnxruntime-fp32", "openvino-fp32"):
        (tmp_path / "network.onnx").write_bytes(b"no network")
        with pytest.raises(InputError, match="the exported network cannot be read"):
            scorer.with_backend(backend, tmp_path)


class Told:
    """A reader that knows the scores of texts that are numbers, and counts what it was asked."""

    hidden = 0

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.asked: list[int] = []

    def read(self, texts: Sequence[str], *, update: Callable | None = None, features: bool = False) -> Readings:
        rows = [int(text) for text in texts]
        self.asked += rows
        return Readings(self.scores[rows], np.ones(len(rows), np.int64), np.ones(len(rows)))


scores = st.lists(st.floats(-3, 3), min_size=2, max_size=30)


@given(scores, scores, st.floats(0.5, 2), st.floats(-1, 1), st.floats(-2, 2), st.floats(0, 1), st.integers(0, 1))
@settings(max_examples=200, deadline=None)
def test_what_lies_in_the_band_has_the_score_of_the_reference(
    fast: list[float], exact: list[float], slope: float, intercept: float, low: float, width: float, broken: int
) -> None:
    rows = min(len(fast), len(exact))
    fast_DR = np.stack([np.array(fast[:rows]), np.zeros(rows)], axis=1)
    exact_DR = np.stack([np.array(exact[:rows]), np.ones(rows)], axis=1)
    if broken:
        fast_DR[0, 0] = np.nan
    band = Band(slope, intercept, low, low + width)
    reference = Told(exact_DR)

    found = CheckedReader(Told(fast_DR), reference, [band, Band()]).read([str(row) for row in range(rows)]).scores

    mapped = slope * fast_DR[:, 0] + intercept
    again = np.isnan(mapped) | ((mapped >= low) & (mapped <= low + width))
    assert reference.asked == np.flatnonzero(again).tolist()
    np.testing.assert_array_equal(found[again], exact_DR[again])
    np.testing.assert_array_equal(found[~again, 0], mapped[~again])
    np.testing.assert_array_equal(found[~again, 1], 0)
