"""A service whose network another library computes: the same scores, or it does not start."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.inference import Scorer
from assay.serving.assayer import Assayer
from assay.serving.documents import Document
from assay.serving.settings import ServeSettings


def test_a_backend_gives_the_same_answers(tiny_model: Path, sample: list[dict]) -> None:
    texts = [row["text"] for row in sample[240:252]]
    assayer = Assayer(tiny_model, "1", ServeSettings.read({"ASSAY_SERVE_BACKEND": "onnxruntime-fp32"}).backend)

    assayer.prepare()

    assert assayer.state == "ready"
    answers = assayer.score([Document(str(number), text, float("inf")) for number, text in enumerate(texts)])
    expected = Scorer.load(tiny_model).read(texts).score
    assert [answer["score"] for answer in answers if answer] == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize("backend", ["openvino-int8", "pytorch-int8", "auto", "tensorrt"])
def test_a_backend_that_nothing_bounds_is_refused(backend: str) -> None:
    with pytest.raises(
        InputError, match=rf"ASSAY_SERVE_BACKEND is '{backend}'.*Give one of: pytorch, pytorch-bf16, onnx"
    ):
        ServeSettings.read({"ASSAY_SERVE_BACKEND": backend})
