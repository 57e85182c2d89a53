"""Write a model as a model repository of NVIDIA's Triton Inference Server, which computes its network alone."""

import copy
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.inference.backends import require_backend, trace
from assay.inference.encode import encode
from assay.inference.forward import pad
from assay.inference.golden import read_golden
from assay.model import QualityModel
from assay.storage import staged_folder

TOLERANCE = 1e-4
"""Largest difference of an output from PyTorch's, in labels."""
CLIENT = ("assay.json", "config.json", "golden.jsonl", "tokenizer.json", "tokenizer_config.json")
"""Files of a model that its clients need: what a window is, how it becomes tokens, and what the scores mean."""
CONFIG = """name: "{name}"
backend: "onnxruntime"
max_batch_size: {batch}
input [
  {{ name: "input_ids" data_type: TYPE_INT64 dims: [ -1 ] }},
  {{ name: "attention_mask" data_type: TYPE_INT64 dims: [ -1 ] }}
]
output [
  {{ name: "logits" data_type: TYPE_FP32 dims: [ {outputs} ] }}
]
dynamic_batching {{ max_queue_delay_microseconds: {delay} }}
"""
BATCH, DELAY = 64, 2_000
"""Most windows of a batch, and how long Triton waits for others, in microseconds. Chosen; tune them where it runs."""


def write_triton(model: Path, name: str, output: Path) -> float:
    """Write the new folder `output`: the model repository of Triton, with the network of a model folder as `name`.

    The network is ONNX: `input_ids` and `attention_mask` of windows in, `logits` out, one a rubric, which are the raw
    scores. `client/` beside its file has what a caller needs to make windows of a text and to read scores. Return the
    largest difference from PyTorch on the golden documents, in labels. Raise InputError if the model is more than a
    network, if the extra `backends` is missing, if the network cannot be exported or its outputs differ by more than
    TOLERANCE; nothing is left then.
    """
    import torch

    from assay.inference.scorer import Scorer

    require_backend("onnxruntime-fp32")
    loaded = Scorer.load(model).model
    if loaded.info.kind not in ("encoder", "head") or not isinstance(loaded, QualityModel):
        raise InputError(
            f"a model of the kind {loaded.info.kind} is more than a network, and Triton would compute a part of it",
            where=str(model),
            fix="Deploy it with `assay deploy`, or train a model with an encoder alone",
        )
    network = copy.deepcopy(loaded.network).to("cpu").eval()
    texts = [str(row["text"]) for row in read_golden(model)]
    padding = int(loaded.tokenizer.pad_token_id or 0)
    batches = [pad(document.windows, padding) for document in encode(loaded.tokenizer, texts, loaded.info.windows)]
    with staged_folder(output) as folder:
        place = folder / name
        (place / "1").mkdir(parents=True)
        file = place / "1" / "model.onnx"
        try:
            trace(network, file, "logits")
        except Exception as error:
            words = str(error).strip().splitlines() or [repr(error)]
            raise InputError(f"the network cannot be exported: {words[0][:300]}", where=str(model)) from error
        with torch.inference_mode():
            expected = [
                network(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))[0].numpy()
                for ids, mask in batches
            ]
        worst = _worst(file, batches, expected)
        if not worst <= TOLERANCE:
            raise InputError(
                f"the exported network differs by {worst:.2g} labels from PyTorch's; at most {TOLERANCE:g} is allowed",
                where=str(model),
            )
        config = CONFIG.format(name=name, batch=BATCH, outputs=expected[0].shape[1], delay=DELAY)
        (place / "config.pbtxt").write_text(config, encoding="utf-8")
        # Inside the version's folder, where Triton looks for the file of the network alone.
        (place / "1" / "client").mkdir()
        for each in CLIENT:
            if (model / each).is_file():
                shutil.copyfile(model / each, place / "1" / "client" / each)
    return worst


def _worst(
    file: Path, batches: list[tuple[NDArray[np.int64], NDArray[np.int64]]], expected: list[NDArray[np.float32]]
) -> float:
    """Return the largest difference of the outputs of an ONNX file from `expected`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    found = [session.run(None, {"input_ids": ids, "attention_mask": mask})[0] for ids, mask in batches]
    return max(float(np.abs(one - other).max()) for one, other in zip(found, expected, strict=True))
