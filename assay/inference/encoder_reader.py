"""Read texts with an encoder: tokens, batches, scores of whole texts and of single windows, and embeddings."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from assay.inference.backends import Arithmetic, Engine, int8_network
from assay.inference.encode import EncodedText, encode, window_spans
from assay.inference.forward import document_scores, in_bf16, pad, pad_on, scoring_only, token_budget_batches
from assay.inference.readings import Readings, WindowScore
from assay.inference.times import Times
from assay.model import QualityModel, output_layer
from assay.progress import counter

CPU_TOKENS, GPU_TOKENS = 1_024, 65_536
"""Padded tokens of one forward pass. Few on a CPU, so that activations stay in its caches and padding is low. Many on a
GPU, so that it has work for as long as the next batch takes to arrive; that number is chosen, not measured."""


class EncoderReader:
    """The network of a model on a device. It gives the outputs of some of its rubrics."""

    def __init__(
        self,
        model: QualityModel,
        outputs: Sequence[int],
        *,
        device: str | None = None,
        batch_tokens: int | None = None,
        arithmetic: Arithmetic | None = None,
        engine: Engine | None = None,
        times: Times | None = None,
    ) -> None:
        """Move the network to the device.

        `outputs`: numbers of the network's outputs that are wanted. `batch_tokens`: padded tokens of one forward pass;
        without it, the default of the device. `arithmetic`: that of PyTorch; without it, the model's own precision.
        `engine`: computes the network in place of PyTorch. `times`: where the seconds are counted.
        """
        import torch

        self.model, self.outputs, self.engine, self.times = model, list(outputs), engine, times or Times()
        self.arithmetic = arithmetic or model.info.precision
        # PyTorch's network is changed for the time of a forward pass, and engines have one buffer for their results.
        self._one_at_a_time = threading.Lock()
        on_gpu = torch.cuda.is_available() and engine is None and self.arithmetic != "int8"
        self.device = torch.device(device or ("cuda" if on_gpu else "cpu"))
        self.batch_tokens = batch_tokens or (CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS)
        self.network = int8_network(model.network) if self.arithmetic == "int8" and engine is None else model.network
        if engine is None:
            self.network.to(self.device).eval()
        # The first call turns off the padding that a tokenizer was saved with. Beside another thread's call that fails.
        encode(model.tokenizer, [""], model.info.windows)

    @property
    def hidden(self) -> int:
        """Length of the vector that the output layer reads."""
        return output_layer(self.model.network).in_features

    def read(
        self, texts: Sequence[str], *, update: Callable[[int], object] | None = None, features: bool = False
    ) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished.

        `features`: return what the output layer reads, too. The scores are the same.
        """
        with self.times.of("tokenizing"):
            documents = encode(self.model.tokenizer, texts, self.model.info.windows)
        score_DR = np.zeros((len(texts), len(self.outputs)))
        feature_DH = np.zeros((len(texts), self.hidden), np.float32) if features else None
        # All windows of a document are in one batch, because their mean is computed there.
        sizes = [len(document.windows) * max(len(window) for window in document.windows) for document in documents]
        begun: list[tuple[list[int], Any]] = []
        for batch in token_budget_batches(sizes, self.batch_tokens):
            chosen = [documents[i] for i in batch]
            with self._one_at_a_time, self.times.of("model"):
                if feature_DH is None:
                    begun.append((batch, self._begin(chosen)))
                else:
                    found, feature_DH[batch] = self._begin_with_features(chosen)
                    begun.append((batch, found))
            if update:
                update(len(batch))
        with self.times.of("model"):  # a GPU has only been asked so far: here is where it is waited for
            for batch, scores in begun:
                score_DR[batch] = _fetched(scores)[:, self.outputs]
        tokens = np.array([document.tokens for document in documents], dtype=np.int64)
        seen = np.array([document.read for document in documents], dtype=float)
        # An empty text has 0 tokens, and counts as read.
        return Readings(score_DR, tokens, np.where(tokens > 0, seen / np.maximum(tokens, 1), 1.0), feature_DH)

    def windows(self, text: str) -> list[WindowScore]:
        """Return the windows of one text, in order. Their mean score is the text's score by the main rubric.

        Raise InputError for a tokenizer that does not give the characters of its tokens.
        """
        (document,) = encode(self.model.tokenizer, [text], self.model.info.windows)
        spans = window_spans(self.model.tokenizer, text, self.model.info.windows)
        scores = []
        for window in document.windows:
            alone = EncodedText((window,), document.tokens, document.read)
            with self._one_at_a_time:
                scores.append(float(_fetched(self._begin([alone]))[0, self.outputs[0]]))
        return [WindowScore(*span, score) for span, score in zip(spans, scores, strict=True)]

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:
        """Return mean-pooled last hidden states of the encoder, shape (texts, hidden), float32."""
        import torch

        documents = encode(self.model.tokenizer, texts, self.model.info.windows)
        windows = [window for document in documents for window in document.windows]
        owner_W = np.array([row for row, document in enumerate(documents) for _ in document.windows])
        encoder = self.model.network.base_model
        pooled: list[tuple[list[int], np.ndarray]] = []
        with counter(total=len(windows), unit=" windows", what=progress) if progress else nullcontext() as shown:
            # Windows of one document may be in different batches, unlike in `read`: they are averaged at the end.
            for batch in token_budget_batches([len(window) for window in windows], self.batch_tokens):
                ids_WT, mask_WT = pad_on([windows[i] for i in batch], self._padding, self.device)
                with torch.inference_mode():
                    hidden_WTH = encoder(input_ids=ids_WT, attention_mask=mask_WT).last_hidden_state.float()
                    mask_WT1 = mask_WT.unsqueeze(-1)
                    mean_WH = (hidden_WTH * mask_WT1).sum(1) / mask_WT1.sum(1)
                pooled.append((batch, mean_WH.cpu().numpy()))
                if shown is not None:
                    shown.update(len(batch))
        feature_WH = np.zeros((len(windows), pooled[0][1].shape[1] if pooled else 0), dtype=np.float32)
        for batch, means in pooled:
            feature_WH[batch] = means
        feature_DH = np.zeros((len(texts), feature_WH.shape[1]), dtype=np.float32)
        np.add.at(feature_DH, owner_W, feature_WH)
        return feature_DH / np.bincount(owner_W, minlength=len(texts))[:, None]

    def _begin(self, documents: Sequence[EncodedText]) -> Any:
        """Return the scores of one batch by all rubrics, shape (documents, rubrics), as an array or a tensor."""
        import torch

        if self.engine is not None:
            return self._by_engine(documents)[0]
        network = self.network
        fast = in_bf16(network, self.device) if self.arithmetic == "bf16" else nullcontext()
        with torch.inference_mode(), scoring_only(network), fast:
            return document_scores(network, documents, self._padding, self.device)

    def _begin_with_features(self, documents: Sequence[EncodedText]) -> tuple[Any, np.ndarray]:
        """Return what `_begin` returns, and the mean vectors that the output layer read, shape (documents, hidden)."""
        if self.engine is not None:
            return self._by_engine(documents)
        with _inputs_of(output_layer(self.network)) as seen_WH:
            scores = self._begin(documents)
        return scores, _means(seen_WH[0], documents)

    def _by_engine(self, documents: Sequence[EncodedText]) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores and the mean vectors of one batch; the output layer computes in fp64."""
        assert self.engine is not None
        windows = [window for document in documents for window in document.windows]
        feature_DH = _means(self.engine.features(*pad(windows, self._padding)), documents)
        head = output_layer(self.model.network)
        weight_RH = head.weight.detach().cpu().numpy().astype(np.float64)
        scores = feature_DH @ weight_RH.T
        # The mean of the scores is the score of the mean, since the layer is linear.
        return scores if head.bias is None else scores + head.bias.detach().cpu().numpy(), feature_DH

    @property
    def _padding(self) -> int:
        # Any id will do for a tokenizer without a padding token: the attention mask hides it.
        return int(self.model.tokenizer.pad_token_id or 0)


def _fetched(scores: Any) -> np.ndarray:
    """Return scores as an array, from an array or from a tensor on any device."""
    return scores if isinstance(scores, np.ndarray) else scores.cpu().numpy()


@contextmanager
def _inputs_of(layer: Any) -> Iterator[list[np.ndarray]]:
    """Yield a list that gets the input of each forward pass of a layer, shape (windows, hidden), float32."""
    found: list[np.ndarray] = []
    hook = layer.register_forward_pre_hook(lambda _, given: found.append(given[0].float().cpu().numpy()))
    try:
        yield found
    finally:
        hook.remove()


def _means(feature_WH: np.ndarray, documents: Sequence[EncodedText]) -> np.ndarray:
    """Return the mean over the windows of each document, shape (documents, hidden)."""
    count_D = np.array([len(document.windows) for document in documents])
    sums = np.add.reduceat(feature_WH, np.concatenate([[0], np.cumsum(count_D)[:-1]]), axis=0)
    return sums / count_D[:, None].astype(np.float32)
