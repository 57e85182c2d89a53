"""Backends: libraries that compute the network in place of PyTorch, faster on some processors.

A backend computes what the output layer reads. The output layer itself is always computed in fp64, from the weights of
the model: its rounding would show in every score.
"""

import copy
import importlib.util
import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.backends import BACKENDS
from assay.errors import InputError
from assay.inference.encode import encode
from assay.inference.forward import pad, scoring_only
from assay.model import Precision, QualityModel, output_layer

Arithmetic = Precision | Literal["int8"]
EXPORTED = "network"
"""Name of the files of an exported network, without suffix."""
LIBRARIES = {"pytorch": (), "onnxruntime": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}
"""Packages that a library needs."""
BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Features of processors that compute in bf16. Elsewhere it is emulated, and many times slower than fp32."""
FEW_TEXTS = 100
"""Most texts from which the ranges of int8 are read: seconds of work. Chosen; other numbers were not tried."""


class Engine(Protocol):
    """An exported network that is ready to compute."""

    def features(self, ids_WT: NDArray[np.int64], mask_WT: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what the output layer reads of each window, shape (windows, hidden)."""


def arithmetic_of(backend: str, model: Precision) -> Arithmetic:
    """Return the arithmetic of a backend, for a model of this precision."""
    _, *names = backend.split("-")
    return names[0] if names else model  # type: ignore[return-value]


def is_exported(backend: str) -> bool:
    """Return True if the backend reads an exported network, not the model folder alone."""
    return not backend.startswith("pytorch")


def require_backend(backend: str) -> None:
    """Raise InputError if there is no such backend, if its packages are missing, or if this machine cannot run it."""
    if backend not in BACKENDS:
        raise InputError(f"no backend {backend!r}", fix=f"Give auto, or one of: {', '.join(BACKENDS)}")
    needed = [*LIBRARIES[backend.split("-")[0]], *(["nncf"] if backend.startswith("openvino-int8") else [])]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise InputError(
            f"the backend {backend} needs packages that are not installed: {', '.join(missing)}",
            fix="Install those of the extra `backends` of pyproject.toml, or leave the backend out",
        )
    if backend.startswith("openvino") and backend.endswith("bf16") and not processor_features() & BF16:
        raise InputError(
            f"this processor has no bf16, and {backend} would compute in fp32 without a word",
            fix="Give openvino-fp32 or openvino-int8, or auto",
        )


def worth_measuring() -> list[str]:
    """Return the backends that can be faster than the reference on this machine."""
    import torch

    fast = bool(processor_features() & BF16)
    if torch.cuda.is_available():
        return ["pytorch-bf16"]  # the others would compute on the processor
    found: list[str] = []
    for backend in BACKENDS[1:]:
        try:
            require_backend(backend)
        except InputError:
            continue
        if fast or not backend.endswith("bf16"):
            found.append(backend)
    return found


def processor_features() -> set[str]:
    """Return the features of this machine's processor, as Linux names them; none where it does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()


def export_network(model: QualityModel, backend: str, texts: Sequence[str], folder: Path) -> None:
    """Write the network into a folder being staged, as the backend reads it.

    `texts`: what the ranges of OpenVINO's int8 are read from; no other backend needs them. Raise InputError if the
    network cannot be exported.
    """
    try:
        _export(model, backend, texts, folder)
    except Exception as error:
        words = str(error).strip().splitlines() or [repr(error)]
        raise InputError(
            f"the network cannot be exported for {backend}: {words[0][:300]}", fix="Give another backend, or none"
        ) from error


def _export(model: QualityModel, backend: str, texts: Sequence[str], folder: Path) -> None:
    import torch

    network = copy.deepcopy(model.network).to("cpu").eval()
    head = next(name for name, module in network.named_modules() if module is output_layer(network))
    network.set_submodule(head, torch.nn.Identity())
    file = folder / f"{EXPORTED}.onnx"
    trace(network, file, "features")
    if backend == "onnxruntime-int8":
        _quantize_dynamically(file)
    if backend.startswith("openvino-int8"):
        encoded = encode(model.tokenizer, texts[:FEW_TEXTS], model.info.windows)
        padding = int(model.tokenizer.pad_token_id or 0)
        _quantize_for_openvino(file, [pad([document.windows[0]], padding) for document in encoded])


def trace(network: Any, file: Path, output: str) -> None:
    """Write a network as ONNX: `input_ids` and `attention_mask` in, int64 of any (windows, tokens); `output` out."""
    import torch

    network.config.return_dict = False
    names = ["input_ids", "attention_mask"]
    example = torch.ones(2, 16, dtype=torch.long)
    with _quiet(), torch.inference_mode(), scoring_only(network):
        # By tracing: the other exporter of torch needs a package of its own.
        torch.onnx.export(
            network,
            (dict.fromkeys(names, example),),
            str(file),
            input_names=names,
            output_names=[output],
            dynamic_axes={name: {0: "windows", 1: "tokens"} for name in names} | {output: {0: "windows"}},
            dynamo=False,
            opset_version=17,
        )


def _quantize_dynamically(file: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = file.with_name("whole.onnx")
    file.rename(whole)
    with _quiet():
        # Weights of 7 bits: without VNNI, a sum of two products of 8 bits overflows, without a word.
        quantize_dynamic(
            whole,
            file,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"MatMulConstBOnly": True},
        )
    whole.unlink()


def _quantize_for_openvino(file: Path, batches: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> None:
    openvino = _openvino()
    import nncf

    nncf.set_log_level(logging.ERROR)
    with _quiet(), redirect_stdout(io.StringIO()):  # it draws bars of its own
        given = nncf.Dataset([{"input_ids": ids, "attention_mask": mask} for ids, mask in batches])
        small = nncf.quantize(
            openvino.Core().read_model(file),
            given,
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
        )
    openvino.save_model(small, file.with_suffix(".xml"), compress_to_fp16=False)
    file.unlink()


def int8_network(network: Any) -> Any:
    """Return a copy of the network that computes its products with weights in int8, all but those of the output layer.

    Weights have a scale for each output, activations one for each batch, read off it (torch's dynamic quantization,
    whose kernels need no VNNI).
    """
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    layers = {
        name: per_channel_dynamic_qconfig
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output_layer(network)
    }
    with _quiet():  # of its replacement, a package of its own
        return quantize_dynamic(copy.deepcopy(network).to("cpu").eval(), layers, dtype=torch.qint8)


def open_engine(backend: str, folder: Path) -> Engine:
    """Return the exported network of a folder, ready to compute. Raise InputError if it cannot be read."""
    import torch

    require_backend(backend)
    threads = torch.get_num_threads()
    try:
        return _OpenVino(backend, folder, threads) if backend.startswith("openvino") else _OnnxRuntime(folder, threads)
    except Exception as error:
        words = str(error).strip().splitlines() or [repr(error)]
        raise InputError(
            f"the exported network cannot be read: {words[0][:300]}",
            where=str(folder),
            fix="Remove it, and run the same again",
        ) from error


class _OnnxRuntime:
    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        # Threads that wait sleep, instead of using a core that another process needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        file = str(folder / f"{EXPORTED}.onnx")
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def features(self, ids_WT: NDArray[np.int64], mask_WT: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self.session.run(None, {"input_ids": ids_WT, "attention_mask": mask_WT})[0], np.float32)


class _OpenVino:
    def __init__(self, backend: str, folder: Path, threads: int) -> None:
        core = _openvino().Core()
        kind = "xml" if backend.startswith("openvino-int8") else "onnx"
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "bf16" if backend.endswith("bf16") else "f32",
            # Each of several processes would pin its threads to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = core.compile_model(core.read_model(folder / f"{EXPORTED}.{kind}"), "CPU", settings)
        self.request = compiled.create_infer_request()

    def features(self, ids_WT: NDArray[np.int64], mask_WT: NDArray[np.int64]) -> NDArray[np.float32]:
        found: Mapping[Any, Any] = self.request.infer({"input_ids": ids_WT, "attention_mask": mask_WT})
        return np.array(found[0], np.float32)  # a copy: the next call writes into the same memory


def _openvino() -> Any:
    """Return the library, which reports nothing of its use: without this package it cannot."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what exporters say of each other inside the block: nothing that a user can do anything about."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
