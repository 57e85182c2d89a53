"""Metrics of a server for Prometheus: volumes, scores, unread text. Labels come from short, fixed lists only.

BentoML's own metrics are switched off: they have a label for each requested path, so a client that requests many
paths fills the memory and the disk of the server.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SCORE_BINS = 20
"""Bins of the histogram of scores, over the scale of the rubric."""
CHANCE_BINS = 20
"""Bins of the histogram of p_keep, from 0 to 1."""
TERMS = ("requests", "documents", "kept", "documents_documents", "documents_kept", "kept_kept")
"""Sums over answered requests of 1, n, y, n², n y and y²: n documents of a request have a score, y are kept. Documents
of one request resemble each other, and an interval of the kept share needs these sums to allow for it."""
OUTCOMES = ("written", "dropped", "failed")
"""Outcomes of rows for the score log."""


class Metrics:
    """The metrics of one server process. BentoML sets up the files that several processes share."""

    def __init__(self, *, low: float, high: float, reasons: Sequence[str]) -> None:
        """`low` and `high`: ends of the scale of labels; `reasons`: all reasons for a missing score."""
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("assay_requests", "Answers given", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "assay_request_seconds", "Time to the answer", ["route"], buckets=SECONDS, registry=registry
        )
        self.batch = Histogram("assay_batch_documents", "Documents scored at once", buckets=BATCH, registry=registry)
        self.batch_seconds = Histogram("assay_batch_seconds", "Time for them", buckets=SECONDS, registry=registry)
        self.scores = Histogram(
            "assay_score",
            "Raw scores",
            buckets=[round(float(edge), 6) for edge in np.linspace(low, high, SCORE_BINS + 1)],
            registry=registry,
        )
        self.p_keep = Histogram(
            "assay_p_keep",
            "Probabilities that the label reaches the threshold",
            buckets=[round(float(edge), 6) for edge in np.linspace(0, 1, CHANCE_BINS + 1)],
            registry=registry,
        )
        self.sums = Counter(
            "assay_answered",
            "Sums over answered requests, for the interval of the kept share",
            ["sum"],
            registry=registry,
        )
        self.documents = Counter("assay_documents", "Documents assessed", registry=registry)
        self.kept = Counter("assay_documents_kept", "Documents at or above the threshold", registry=registry)
        self.truncated = Counter("assay_documents_read_in_part", "Longer than the model reads", registry=registry)
        self.out_of_scope = Counter(
            "assay_documents_out_of_scope", "In a language the model was not made for", registry=registry
        )
        self.unscored = Counter("assay_documents_unscored", "Documents without a score", ["reason"], registry=registry)
        self.tokens = Counter("assay_tokens", "Tokens of the documents", registry=registry)
        self.tokens_read = Counter("assay_tokens_read", "Tokens that the model read", registry=registry)
        self.log_rows = Counter(
            "assay_log_rows", "Answers for the score log, by what became of them", ["outcome"], registry=registry
        )
        # The most recent value, not the sum: after a crash the file of the dead process still exists.
        recent: dict[str, Any] = {"multiprocess_mode": "mostrecent", "registry": registry}
        self.in_work = Gauge("assay_requests_in_work", "Requests let in and not done yet", **recent)
        self._model = Gauge("assay_model_info", "1 for the model that serves", ["version"], **recent)
        self._ready = Gauge("assay_ready", "1 once the golden documents have passed", **recent)
        self.in_work.set(0)
        # A counter without a sample does not exist for Prometheus: rates over it would miss the first increase.
        for reason in reasons:
            self.unscored.labels(reason)
        for outcome in OUTCOMES:
            self.log_rows.labels(outcome)
        for term in TERMS:
            self.sums.labels(term)

    def answered(self, answers: Sequence[Mapping[str, Any] | None]) -> None:
        """Count the answers of one request to /score. One with a None among them is a failure and is not counted."""
        scored = [answer for answer in answers if answer is not None and answer["reason"] is None]
        if not scored or None in answers:
            return
        n, y = len(scored), sum(bool(answer["keep"]) for answer in scored)
        for term, value in zip(TERMS, (1, n, y, n * n, n * y, y * y), strict=True):
            self.sums.labels(term).inc(value)
        for answer in scored:
            if answer["p_keep"] is not None:
                self.p_keep.observe(answer["p_keep"])

    def model(self, version: str, *, ready: bool) -> None:
        """Set the version, and whether it is ready."""
        self._model.labels(version).set(1)
        self._ready.set(1 if ready else 0)

    def exposition(self) -> bytes:
        """Return the metrics of all processes in the text format of Prometheus."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
