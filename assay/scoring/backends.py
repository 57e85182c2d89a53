"""Choose a backend for a corpus, and measure what it does to a selection before anything is scored by it.

Documents drawn at random from the corpus are read by the backend and by the reference, PyTorch in the model's own
precision. From one in four come the map from the backend's scores to those of the reference, and the band: the largest
error that is left, on both sides of the cut. Documents in the band will be read again by the reference. On the others,
decisions that change all the same are counted. They were drawn at random and took no part in fitting the band, so the
exact binomial bound on their share (Clopper and Pearson 1934) holds for this corpus at the model's own cut, whatever
the backend and the model are. The cut of a share is read off all documents drawn, so that the bound is not exact
there; in simulations it was broken no more often (tests/assay/scoring/test_scoring_by_backend.py).
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from assay.backends import REFERENCE
from assay.errors import InputError
from assay.inference import Scorer, TokenCounter, export_network, is_exported, require_backend, worth_measuring
from assay.model import QualityModel
from assay.progress import say, stage
from assay.proportions import CONFIDENCE
from assay.scoring.measurement import CutPlace, Measurement, compare, fit_band, measurement_key, measurement_place
from assay.scoring.networks import open_network, store_network
from assay.scoring.plan import AUTO, Backend, PartFolder, Plan, ScoringConfig
from assay.scoring.run import PartScorer, score_missing
from assay.scoring.sample import SAMPLE_PART, draw, sample_snapshot
from assay.scoring.scores import Scores
from assay.storage import Snapshot, exists

Array = NDArray[np.float64]
FITTED = 4
"""One in so many of the documents drawn finds the map and the band."""
TIMED_DOCUMENTS, TIMED_RUNS = 96, 3
"""Documents and runs by which `auto` times each backend: some seconds each."""
WORTH = 1.1
"""Least speed of a backend, beside the reference, that `auto` prefers to it: what is read again included."""
LEAST_CORPUS = 10
"""Corpora of fewer than so many times the documents that are drawn are scored by the reference under `auto`."""


def settle_backend(
    plan: Plan, snapshot: Snapshot, model: Path, scorer: Scorer, root: str, *, processes: int | None = None
) -> Plan:
    """Return the plan with the backend that its settings ask for, measured before or now.

    It is measured once for a corpus, a model and settings: all who plan the same get the same. A lexical model has no
    network, and is scored as it is. Raise InputError for a backend that this machine lacks, for a network that cannot
    be exported or that scores the golden documents differently, and for a model that keeps nothing.
    """
    config = plan.config
    if config.backend == REFERENCE:
        return plan
    plain = replace(plan, config=config.by_reference())
    if not isinstance(scorer.model, QualityModel):
        say(f"a lexical model has no network: the backend {config.backend} is not used")
        return plain
    key = measurement_key(plan)
    if exists(measurement_place(root, key)):
        found = Measurement.read(root, key)
    else:
        with stage("Choose a backend" if config.backend == AUTO else f"Measure the backend {config.backend}"):
            measured = _Measuring(plan, snapshot, model, scorer, root, processes).measure()
            found = measured.write_first(root, key)
    if found.name == REFERENCE:
        return plain
    say(found.sentence())
    return replace(plan, backend=Backend(found.name, found.network, found.bands, key))


@dataclass(frozen=True)
class _Measuring:
    """One measurement, and what it needs."""

    plan: Plan
    snapshot: Snapshot
    model: Path
    scorer: Scorer
    root: str
    processes: int | None

    def measure(self) -> Measurement:
        config = self.plan.config
        asked = Measurement(self.plan.snapshot, self.plan.model, config.backend, config.backend)
        if config.backend != AUTO:
            require_backend(config.backend)
        elif self.snapshot.manifest.rows < LEAST_CORPUS * config.backend_documents:
            say(f"fewer than {LEAST_CORPUS * config.backend_documents:,} documents: {REFERENCE} scores them")
            return replace(asked, name=REFERENCE)
        rows = draw(self.snapshot, config.backend_documents, "backend")
        sample = sample_snapshot(self.snapshot, rows, self.root)
        fitted = np.isin(np.sort(rows), rows[: len(rows) // FITTED])
        exact = self._scores(sample, None)
        if config.backend == AUTO:
            name, rates = self._fastest(sample, fitted, exact)
            asked = replace(asked, name=name, rates=rates)
            if name == REFERENCE:
                return asked
        return self._compared(asked, sample, fitted, exact)

    def _scores(self, sample: Snapshot, backend: Backend | None) -> pd.DataFrame:
        """Return a column of scores for each rubric, NaN for documents without a score or out of scope."""
        settings = ScoringConfig(rows_per_part=SAMPLE_PART, limits=self.plan.config.limits)
        plan = Plan.of(sample, self.scorer.model.info, self.plan.model, TokenCounter("").name, settings)
        folder = PartFolder.create(self.root, replace(plan, backend=backend))
        opened = PartScorer(folder, sample, open_network(self.scorer, folder), TokenCounter(""))
        name = backend.name if backend else REFERENCE
        scores = score_missing(opened, self.model, self.processes, f"Read {sample.manifest.rows:,} by {name}")
        return _able(scores, self._columns)

    @property
    def _columns(self) -> list[str]:
        return ["score", *(aspect.columns[0] for aspect in self.scorer.model.info.others)]

    def _fastest(
        self, sample: Snapshot, fitted: NDArray[np.bool_], exact: pd.DataFrame
    ) -> tuple[str, dict[str, float]]:
        """Time all backends that this machine has, and return the name of the fastest with the speeds of all."""
        known = exact["score"].notna().to_numpy()
        rows = np.flatnonzero(fitted & known)[:TIMED_DOCUMENTS]
        texts = [str(text) for text in sample.take(rows)]
        expected, cuts = exact.iloc[rows].to_numpy(), self._cuts(exact)
        plain = _rate(self.scorer, texts)
        rates = {REFERENCE: plain}
        for name in worth_measuring():
            try:
                with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
                    assert isinstance(self.scorer.model, QualityModel)
                    if is_exported(name):
                        export_network(self.scorer.model, name, texts, Path(scratch))
                    fast = self.scorer.with_backend(name, Path(scratch))
                    scores = fast.read(texts).scores
                    rate = _rate(fast, texts)
            except InputError as error:
                say(f"{name} is left out: {error}")
                continue
            bands = [fit_band(*columns) for columns in zip(scores.T, expected.T, cuts, strict=True)]
            inside = np.any(
                [band.holds(score) for band, score in zip(bands, exact[known].to_numpy().T, strict=True)], axis=0
            )
            rates[name] = 1 / (1 / rate + float(inside.mean()) / plain)
            say(
                f"{name}: {rate:,.1f} documents a second, and {inside.mean():.1%} read again; {REFERENCE}: {plain:,.1f}"
            )
        rates = {name: round(rate, 2) for name, rate in rates.items()}
        best = max(rates, key=lambda name: rates[name])
        return (best if rates[best] >= WORTH * rates[REFERENCE] else REFERENCE), rates

    def _compared(
        self, asked: Measurement, sample: Snapshot, fitted: NDArray[np.bool_], exact: pd.DataFrame
    ) -> Measurement:
        texts = [
            str(text)
            for text in sample.take(np.flatnonzero(fitted & exact["score"].notna().to_numpy())[:TIMED_DOCUMENTS])
        ]
        network = store_network(self.scorer, self.model, asked.name, texts, self.root)
        fast = self._scores(sample, Backend(asked.name, network, ()))
        known = (exact.notna() & fast.notna()).all(axis=1).to_numpy()
        cuts = self._cuts(exact)
        bands = tuple(
            fit_band(fast.loc[fitted & known, name].to_numpy(), exact.loc[fitted & known, name].to_numpy(), cut)
            for name, cut in zip(self._columns, cuts, strict=True)
        )
        left = ~fitted & known
        return replace(
            asked,
            network=network,
            bands=bands,
            **compare(bands, fast[left].to_numpy(), exact[left].to_numpy(), cuts[0].middle),
        )

    def _cuts(self, exact: pd.DataFrame) -> list[CutPlace]:
        """Return where the cut of each rubric is; NaN for a rubric without.

        A share's cut is read off the documents drawn. It may be wherever their order statistics say, at 95 %.
        """
        info, share = self.scorer.model.info, self.plan.config.backend_share
        cuts = []
        for aspect in info.aspects:
            own = aspect.calibration.keep_cut if aspect.calibration else None
            cuts.append(CutPlace(*[np.nan if own is None else own] * 3))
        if share is not None:
            scores = np.sort(exact["score"].dropna().to_numpy())[::-1]
            if not len(scores):
                raise InputError("no document that was drawn has a score", where="backend", fix="Draw more documents")
            ranks = [
                share * len(scores),
                *binom.ppf([1 - (1 - CONFIDENCE) / 2, (1 - CONFIDENCE) / 2], len(scores), share),
            ]
            middle, low, high = (float(scores[int(np.clip(rank, 0, len(scores) - 1))]) for rank in ranks)
            cuts[0] = CutPlace(middle, low, high)
        elif np.isnan(cuts[0].middle):
            raise InputError("this model keeps no document", where="backend", fix="Give --backend-share")
        return cuts


def _able(scores: Scores, columns: Sequence[str]) -> pd.DataFrame:
    table = pd.concat([part for _, part in scores.rows([*columns, "reason", "in_scope"])], ignore_index=True)
    able = table["reason"].isna() & table["in_scope"]
    return table[list(columns)].astype(float).where(able)


def _rate(scorer: Scorer, texts: list[str]) -> float:
    """Return documents a second: the median of a few runs, after one that loads what loads late."""
    scorer.read(texts[:8])
    seconds = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        scorer.read(texts)
        seconds.append(time.perf_counter() - started)
    return len(texts) / float(np.median(seconds))
