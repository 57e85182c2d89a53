"""Score texts: raw scores, calibrated outputs, scores of single windows, and embeddings."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing import Series

from assay.inference.encode import EncodedText, encode, window_spans
from assay.inference.forward import document_scores, in_bf16, pad, scoring_only, token_budget_batches
from assay.model import MEANING, QualityModel, load_model
from assay.progress import counter

FloatArray = NDArray[np.float64]

CPU_TOKENS, GPU_TOKENS = 1_024, 8_192
"""Padded tokens of one forward pass. Few on a CPU, so that activations stay in its caches and padding is low."""


class ScoredDocument(pa.DataFrameModel):
    """One row a document. An uncalibrated model gives `score`, `tokens` and `read` only.

    These columns are those of the main rubric. Each further rubric adds five, with its name as a prefix:
    `legal_score`, `legal_calibrated`, `legal_p_keep`, `legal_grade`, `legal_keep`.
    """

    score: Series[float] = pa.Field(description="raw output of the model, on the scale of the labels, not calibrated")
    tokens: Series[int] = pa.Field(ge=0, description="tokens of the whole document, by the model's tokenizer")
    read: Series[float] = pa.Field(ge=0, le=1, description="share of these tokens that the model read")
    calibrated: Series[float] | None = pa.Field(description="expected label")
    p_keep: Series[float] | None = pa.Field(
        ge=0,
        le=1,
        description="probability that the label reaches the threshold, where as many do as among those calibrated on",
    )
    grade: Series[int] | None = pa.Field(description="whole number shown to people")
    keep: Series[bool] | None = pa.Field(description="true if the score reaches the cut")


@dataclass(frozen=True)
class Readings:
    """Raw outputs of the network for n texts."""

    scores: FloatArray
    """Scores by each rubric, shape (n, rubrics)."""
    tokens: NDArray[np.int64]
    """Tokens of the whole text, by the model's tokenizer; shape (n,)."""
    read: FloatArray
    """Share of these tokens that is in at least one window; shape (n,)."""

    @property
    def score(self) -> FloatArray:
        """Scores by the main rubric, shape (n,)."""
        return self.scores[:, 0]


@dataclass(frozen=True)
class WindowScore:
    """Score of one window of a text."""

    start: int
    """First character."""
    end: int
    """Character after the last."""
    score: float
    """Score of this window alone."""


class Scorer:
    """A model ready to score. Every score that Assay shows or acts upon comes from here."""

    def __init__(
        self, model: QualityModel, *, rubric: str = "", device: str | None = None, batch_tokens: int | None = None
    ) -> None:
        """Move the network to the device.

        `rubric`: name of the only rubric to score by; without it, all rubrics of the model. `batch_tokens`: padded
        tokens of one forward pass; without it, the default of the device. Raise InputError for an unknown rubric.
        """
        import torch

        info = model.info
        self.outputs = [info.output_of(rubric)] if rubric else list(range(len(info.aspects)))
        self.model = replace(model, info=info.view(rubric)) if rubric else model
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.batch_tokens = batch_tokens or (CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS)
        model.network.to(self.device).eval()

    @classmethod
    def load(cls, folder: Path, *, rubric: str = "") -> "Scorer":
        """Load a model folder. Raise InputError if it holds no model, or a model without this rubric."""
        return cls(load_model(folder), rubric=rubric)

    def read(self, texts: Sequence[str], *, update: Callable[[int], object] | None = None) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished."""
        documents = encode(self.model.tokenizer, texts, self.model.info.windows)
        score_DR = np.zeros((len(texts), len(self.outputs)))
        # All windows of a document are in one batch, because their mean is computed there.
        sizes = [len(document.windows) * max(len(window) for window in document.windows) for document in documents]
        for batch in token_budget_batches(sizes, self.batch_tokens):
            score_DR[batch] = self._forward([documents[i] for i in batch])
            if update:
                update(len(batch))
        tokens = np.array([document.tokens for document in documents], dtype=np.int64)
        seen = np.array([document.read for document in documents], dtype=float)
        # An empty text has 0 tokens, and counts as read.
        return Readings(score_DR, tokens, np.where(tokens > 0, seen / np.maximum(tokens, 1), 1.0))

    def score(self, texts: Sequence[str], *, progress: str = "") -> pd.DataFrame:
        """Return a table ScoredDocument, one row a text, in their order. `progress`: name of the progress bar."""
        with counter(total=len(texts), unit=" documents", what=progress) if progress else _NoBar() as shown:
            readings = self.read(texts, update=shown.update)
        table = pd.DataFrame({"score": readings.score, "tokens": readings.tokens, "read": readings.read})
        for number, aspect in enumerate(self.model.info.aspects):
            score, calibration = readings.scores[:, number], aspect.calibration
            columns: list[NDArray[Any]] = [score]
            if calibration:
                meaning = calibration.apply(score)
                columns += [meaning.calibrated, meaning.p_keep, meaning.grade, meaning.keep]
            names = aspect.columns if number else MEANING
            # Not strict: without calibration, `score` is the only column.
            table = table.assign(**dict(zip(names, columns, strict=False)))
        return table

    def windows(self, text: str) -> list[WindowScore]:
        """Return the windows of one text, in order. Their mean score is the text's score by the main rubric.

        Raise InputError for a tokenizer that does not give the characters of its tokens.
        """
        (document,) = encode(self.model.tokenizer, [text], self.model.info.windows)
        spans = window_spans(self.model.tokenizer, text, self.model.info.windows)
        scores = []
        for window in document.windows:
            alone = EncodedText((window,), document.tokens, document.read)
            scores.append(float(self._forward([alone])[0, 0]))
        return [WindowScore(*span, score) for span, score in zip(spans, scores, strict=True)]

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:
        """Return mean-pooled last hidden states of the encoder, shape (texts, hidden), float32."""
        import torch

        documents = encode(self.model.tokenizer, texts, self.model.info.windows)
        windows = [window for document in documents for window in document.windows]
        owner_W = np.array([row for row, document in enumerate(documents) for _ in document.windows])
        encoder = self.model.network.base_model
        pooled: list[tuple[list[int], np.ndarray]] = []
        with counter(total=len(windows), unit=" windows", what=progress) if progress else _NoBar() as shown:
            # Windows of one document may be in different batches, unlike in `read`: they are averaged at the end.
            for batch in token_budget_batches([len(window) for window in windows], self.batch_tokens):
                ids_WT, mask_WT = pad([windows[i] for i in batch], self._padding, self.device)
                with torch.inference_mode():
                    hidden_WTH = encoder(input_ids=ids_WT, attention_mask=mask_WT).last_hidden_state.float()
                    mask_WT1 = mask_WT.unsqueeze(-1)
                    mean_WH = (hidden_WTH * mask_WT1).sum(1) / mask_WT1.sum(1)
                pooled.append((batch, mean_WH.cpu().numpy()))
                shown.update(len(batch))
        feature_WH = np.zeros((len(windows), pooled[0][1].shape[1] if pooled else 0), dtype=np.float32)
        for batch, means in pooled:
            feature_WH[batch] = means
        feature_DH = np.zeros((len(texts), feature_WH.shape[1]), dtype=np.float32)
        np.add.at(feature_DH, owner_W, feature_WH)
        return feature_DH / np.bincount(owner_W, minlength=len(texts))[:, None]

    def _forward(self, documents: Sequence[EncodedText]) -> np.ndarray:
        """Return the scores of one batch, shape (documents, rubrics), computed in the model's precision."""
        import torch

        network = self.model.network
        fast = in_bf16(network, self.device) if self.model.info.precision == "bf16" else nullcontext()
        with torch.inference_mode(), scoring_only(network), fast:
            scores = document_scores(network, documents, self._padding, self.device)
        return scores.cpu().numpy()[:, self.outputs]

    @property
    def _padding(self) -> int:
        # Any id will do for a tokenizer without a padding token: the attention mask hides it.
        return int(self.model.tokenizer.pad_token_id or 0)


class _NoBar:
    """Stand-in for a progress bar that shows nothing."""

    def update(self, n: int) -> None:
        """Show nothing."""

    def __enter__(self) -> "_NoBar":
        return self

    def __exit__(self, *exc: object) -> None:
        """Close nothing."""
