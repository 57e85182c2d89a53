"""One served model: load it in the background, check its golden documents, then score documents."""

import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from assay.backends import REFERENCE
from assay.errors import InputError
from assay.inference import (
    REASONS,
    Assessed,
    Scorer,
    arithmetic_of,
    assess,
    check_golden,
    export_network,
    is_exported,
    require_backend,
)
from assay.model import ModelInfo, QualityModel
from assay.serving.documents import Document
from assay.serving.log import LOG, log_error
from assay.serving.metrics import Metrics

LINEAGE = ("snapshot", "run")
"""Entries of the model's lineage that each answer carries: its data and its training run."""


class Assayer:
    """The model of one version. It scores only once `state` is `ready`."""

    def __init__(self, folder: Path, version: str, backend: str = REFERENCE) -> None:
        """Raise InputError if the folder holds no model."""
        self.backend = backend
        self.info = ModelInfo.read(folder)
        self.version = version
        self.lineage = {name: self.info.lineage[name] for name in LINEAGE if name in self.info.lineage}
        self.metrics = Metrics(low=self.info.rubric.low, high=self.info.rubric.high, reasons=tuple(REASONS))
        self.metrics.model(version, ready=False)
        self.state: Literal["loading", "ready", "failed"] = "loading"
        self._folder = folder
        self._scorer: Scorer | None = None
        self.on_answers: Callable[[list[dict[str, Any]]], None] | None = None
        """Called with the answers of each batch of `score`. It must return at once: the model waits for it."""

    def prepare(self) -> None:
        """Load the model and check its golden documents, which takes seconds. Set `state` to `ready` or `failed`."""
        started = time.monotonic()
        try:
            scorer = self._load()
            golden = check_golden(scorer, self._folder, arithmetic_of(self.backend, self.info.precision))
            if not golden.passed:
                raise InputError(
                    f"the golden documents score differently here: off by {golden.worst:.3g} labels, allowed are "
                    f"{golden.tolerance:g}",
                    fix="Check the weights and the versions of the libraries",
                )
            # The first text loads what loads late, such as the language identification: no client waits for it.
            assess(scorer, ["One text is assessed before the first request."])
        except InputError as error:
            LOG.error("version %s is not served: %s", self.version, error)
            self.state = "failed"
            return
        except Exception as error:
            log_error(f"version {self.version} is not served", error)
            self.state = "failed"
            return
        self._scorer = scorer
        # What was loaded stays: the collector need not walk through its hundreds of thousands of objects again.
        gc.collect()
        gc.freeze()
        self.state = "ready"
        self.metrics.model(self.version, ready=True)
        LOG.info(
            "version %s is ready after %.1f s: %d golden documents, off by at most %.2g labels",
            self.version,
            time.monotonic() - started,
            golden.documents,
            golden.worst,
        )

    def _load(self) -> Scorer:
        """Return the scorer, with the network exported for the backend if it is another one than the reference."""
        scorer = Scorer.load(self._folder)
        if self.backend == REFERENCE or not isinstance(scorer.model, QualityModel):
            return scorer
        require_backend(self.backend)
        with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
            if is_exported(self.backend):
                export_network(scorer.model, self.backend, [], Path(scratch))
            return scorer.with_backend(self.backend, Path(scratch))

    def score(self, documents: Sequence[Document]) -> list[dict[str, Any] | None]:
        """Return one answer a document, in order: None if its time is over, and if scoring failed."""
        assert self._scorer is not None
        started = time.monotonic()
        # A batch may begin long after its requests arrived: those that were answered 504 meanwhile cost no work.
        wanted = [row for row, document in enumerate(documents) if document.until > started]
        answers: list[dict[str, Any] | None] = [None] * len(documents)
        if not wanted:
            return answers
        try:
            found = self._answers(assess(self._scorer, [documents[row].text for row in wanted]))
        except Exception as error:
            log_error(f"no scores for {len(wanted)} documents", error)
            return answers
        for row, answer in zip(wanted, found, strict=True):
            answers[row] = {"id": documents[row].id, **answer}
        self._count(found, time.monotonic() - started)
        if self.on_answers:
            self.on_answers(found)
        return answers

    def explain(self, documents: Sequence[Document]) -> list[dict[str, Any] | None]:
        """Return one explanation a document, in order, as `_explain`."""
        return [self._explain(document) for document in documents]

    def _explain(self, document: Document) -> dict[str, Any] | None:
        """Return the answer for one text with the windows that made its score: `start`, `end` (characters), `score`."""
        assert self._scorer is not None
        if document.until <= time.monotonic():
            return None
        try:
            (answer,) = self._answers(assess(self._scorer, [document.text]))
            windows = self._scorer.windows(document.text) if answer["reason"] is None else []
        except Exception as error:
            log_error("no explanation of a text", error)
            return None
        rubric, calibration = self.info.rubric, self.info.calibration
        return {
            **answer,
            "rubric": {
                "name": rubric.name,
                "low": rubric.low,
                "high": rubric.high,
                "threshold": rubric.threshold,
                "keep_cut": calibration.keep_cut if calibration else None,
            },
            "windows": [{"start": each.start, "end": each.end, "score": each.score} for each in windows],
        }

    def _answers(self, found: Assessed) -> list[dict[str, Any]]:
        """Return the rows as JSON values, each with the model that scored it."""
        model = {"version": self.version, "lineage": self.lineage}
        return [{**row, "language": row["language"] or None, "model": model} for row in found.rows()]

    def _count(self, answers: list[dict[str, Any]], seconds: float) -> None:
        metrics = self.metrics
        metrics.batch.observe(len(answers))
        metrics.batch_seconds.observe(seconds)
        metrics.documents.inc(len(answers))
        metrics.tokens.inc(sum(answer["tokens"] for answer in answers))
        metrics.tokens_read.inc(round(sum(answer["tokens"] * answer["read"] for answer in answers)))
        metrics.out_of_scope.inc(sum(not answer["in_scope"] for answer in answers))
        scored = [answer for answer in answers if answer["reason"] is None]
        metrics.kept.inc(sum(answer["keep"] for answer in scored))
        metrics.truncated.inc(sum(answer["read"] < 1 for answer in scored))
        for answer in scored:
            metrics.scores.observe(answer["score"])
        for answer in answers:
            if answer["reason"] is not None:
                metrics.unscored.labels(answer["reason"]).inc()
