"""Score texts: raw scores, calibrated outputs, scores of single windows, and embeddings."""

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing import Series

from assay.errors import InputError
from assay.inference.backends import arithmetic_of, is_exported, open_engine, require_backend
from assay.inference.encoder_reader import EncoderReader
from assay.inference.hybrid_reader import HybridReader
from assay.inference.lexical_reader import LexicalReader
from assay.inference.near_cut import Band, CheckedReader
from assay.inference.readings import Reader, Readings, WindowScore
from assay.inference.times import Times
from assay.model import MEANING, LexicalModel, QualityModel, load_model
from assay.progress import counter


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


class Scorer:
    """A model ready to score. Every score that Assay shows or acts upon comes from here."""

    def __init__(
        self,
        model: QualityModel | LexicalModel,
        *,
        rubric: str = "",
        device: str | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        """Prepare a model, and move its network to the device.

        `rubric`: name of the only rubric to score by; without it, all rubrics of the model. `batch_tokens`: padded
        tokens of one forward pass; without it, the default of the device. Raise InputError for an unknown rubric.
        """
        info = model.info
        self.outputs = [info.output_of(rubric)] if rubric else list(range(len(info.aspects)))
        self._blends = tuple(info.blend[output] for output in self.outputs) if info.blend else ()
        self.times = Times()
        """Seconds that this scorer spent, by stage."""
        self.reader: Reader = (
            LexicalReader(model, self.outputs, times=self.times)
            if isinstance(model, LexicalModel)
            else self._with_words(
                model, EncoderReader(model, self.outputs, device=device, batch_tokens=batch_tokens, times=self.times)
            )
        )
        # Of the same network, with the rubrics that are wanted.
        self.model = replace(model, info=info.view(rubric)) if rubric else model

    def _with_words(self, model: QualityModel, encoder: EncoderReader) -> Reader:
        """Return the reader of the whole model: that of its network, or of both parts of a hybrid."""
        if model.lexical is None:
            return encoder
        return HybridReader(encoder, LexicalReader(model.lexical, self.outputs, times=self.times), self._blends)

    @classmethod
    def load(cls, folder: Path, *, rubric: str = "") -> "Scorer":
        """Load a model folder. Raise InputError if it holds no model, or a model without this rubric."""
        return cls(load_model(folder), rubric=rubric)

    def with_backend(self, backend: str, exported: Path | None, bands: Sequence[Band] = ()) -> "Scorer":
        """Return a scorer of the same model whose network another backend computes.

        `exported`: folder of `export_network`; None for PyTorch. `bands`: for each rubric, how its scores become those
        of this scorer, and which of them this scorer reads again; without bands, they are left as they are. Raise
        InputError for a backend that this machine does not have, and for a lexical model.
        """
        require_backend(backend)
        model = self.model
        if isinstance(model, LexicalModel):
            raise InputError("a lexical model has no network for a backend", fix="Leave the backend out")
        other = copy.copy(self)
        if is_exported(backend) and exported is None:
            raise InputError(f"{backend} computes an exported network, and there is none", fix="Export it first")
        engine = open_engine(backend, exported) if is_exported(backend) and exported else None
        arithmetic = arithmetic_of(backend, model.info.precision)
        encoder = EncoderReader(model, self.outputs, arithmetic=arithmetic, engine=engine, times=self.times)
        fast = self._with_words(model, encoder)
        other.reader = CheckedReader(fast, self.reader, bands) if bands else fast
        return other

    def read(
        self, texts: Sequence[str], *, update: Callable[[int], object] | None = None, features: bool = False
    ) -> Readings:
        """Return the readings of n texts, in their order. `update` is called with the number of texts just finished.

        `features`: return the vectors that the output layer reads, too. Raise InputError for it without a network.
        """
        return self.reader.read(texts, update=update, features=features)

    def score(self, texts: Sequence[str], *, progress: str = "") -> pd.DataFrame:
        """Return a table ScoredDocument, one row a text, in their order. `progress`: name of the progress bar."""
        with counter(total=len(texts), unit=" documents", what=progress) if progress else nullcontext() as shown:
            readings = self.read(texts, update=shown.update if shown is not None else None)
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
        return self.reader.windows(text)

    def embed(self, texts: Sequence[str], *, progress: str = "") -> np.ndarray:
        """Return mean-pooled last hidden states of the encoder, shape (texts, hidden). Raise InputError without one."""
        return self.reader.embed(texts, progress=progress)
