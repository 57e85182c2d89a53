"""Score in a cascade: a cheap model rejects what it can, and the full model scores the rest.

The cheap model never accepts: every document with a score has that of the full model.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.backends import REFERENCE
from assay.errors import InputError
from assay.inference import token_counter
from assay.model import ModelInfo, calibrated_info
from assay.progress import say
from assay.scoring.certificate import RECALLS, Certificate, Point, certified_cut, cut_rank
from assay.scoring.corpus import score_snapshot
from assay.scoring.plan import Plan, Rejection, ScoringConfig
from assay.scoring.sample import SAMPLE_PART, draw, sample_snapshot
from assay.scoring.scores import Scores, complete_folders
from assay.sources import Columns, Period, open_corpus
from assay.storage import Snapshot, digest_folder

THRESHOLD_DOCUMENTS = 2_000
"""Documents from which the threshold for a share is read, beside those of the promise."""


@dataclass(frozen=True)
class CascadeConfig:
    """Settings of a cascade."""

    cheap: str = ""
    """Model that rejects before the full model reads: a version or alias of the registry, or a model folder, such as
    one of `assay distil`. Empty: the full model scores every document."""
    recall: float = 0.99
    """Share of what the full model would keep that the cascade keeps at least, in this corpus."""
    confidence: float = 0.95
    """Probability with which that holds, over the draws of the documents that certify it."""
    cascade_share: float | None = None
    """Share of the documents in scope that is to be kept: the threshold that the promise is about is read from a random
    sample. Without it, the promise is about the model's own threshold."""
    certify_documents: int = 6_000
    """Documents drawn at random that the full model scores to certify the cut. More give a higher cut."""

    def __post_init__(self) -> None:
        for name in ("recall", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name):g}", where="cascade", fix="Give more than 0, below 1")
        if self.cascade_share is not None and not 0 < self.cascade_share < 1:
            raise InputError(
                f"cascade_share is {self.cascade_share:g}", where="cascade", fix="Give more than 0, below 1"
            )
        if self.certify_documents < 1:
            raise InputError(f"certify_documents is {self.certify_documents}", where="cascade", fix="Give 1 or more")


def score_in_cascade(
    source: str,
    model: Path,
    cheap: Path,
    columns: Columns,
    root: str,
    config: ScoringConfig,
    cascade: CascadeConfig,
    *,
    period: Period | None = None,
    processes: int | None = None,
) -> Scores:
    """Score a source as `score_corpus` does, except what the cheap model rejects; see `certify` for the promise.

    Scores that exist and have fewer documents rejected are returned as they are. Of scores with more rejected, only the
    difference is scored. Raise InputError as `score_corpus` and `certify` do.
    """
    for each in (model, cheap):
        calibrated_info(each)
    if config.embeddings:
        raise InputError(
            "a cascade keeps no vectors: what is rejected has none", where="cascade", fix="Leave embeddings out"
        )
    if config.backend != REFERENCE and config.backend_share != cascade.cascade_share:
        raise InputError(
            "the backend looks at another cut than the cascade",
            where=f"backend_share {config.backend_share}, cascade_share {cascade.cascade_share}",
            fix="Give both the same, or neither",
        )
    snapshot = open_corpus(source, columns, root, period)
    plain = config.by_reference()
    first = score_snapshot(snapshot, cheap, root, plain, processes=processes, what="Score with the cheap model")
    certificate = certify(snapshot, first, model, root, config, cascade, processes=processes)
    say(certificate.sentence())
    if known := reusable(snapshot, model, root, config, certificate):
        say("scores with no more documents rejected exist already")
        return known
    rejection = rejection_by(snapshot, model, root, config, certificate)
    return score_snapshot(snapshot, model, root, config, processes=processes, rejection=rejection)


def certify(
    snapshot: Snapshot,
    cheap: Scores,
    model: Path,
    root: str,
    config: ScoringConfig,
    cascade: CascadeConfig,
    *,
    processes: int | None = None,
) -> Certificate:
    """Find the cut of the cheap model that keeps the promised recall, and write its certificate below `root`.

    `cheap`: complete scores of the snapshot by the cheap model. Raise InputError if too few of the documents drawn
    reach the threshold, or if the model keeps nothing.
    """
    info = calibrated_info(model)
    before = 0 if cascade.cascade_share is None else THRESHOLD_DOCUMENTS
    rows = draw(snapshot, before + cascade.certify_documents, "cascade")
    if before and len(rows) < 2 * before:
        before = len(rows) // 2  # of a small corpus, a half for each purpose
    sample = sample_snapshot(snapshot, rows, root)
    settings = replace(config.by_reference(), rows_per_part=SAMPLE_PART, slice_by="")
    scored = score_snapshot(sample, model, root, settings, processes=processes, what="Certify the cut")
    table = pd.concat([part for _, part in scored.rows(["score", "reason", "in_scope"])], ignore_index=True)
    table.index = pd.Index(np.sort(rows))
    able = table["score"].where(table["reason"].isna() & table["in_scope"])
    threshold = _threshold(able.loc[rows[:before]].dropna().to_numpy(float), info, cascade.cascade_share)
    promising = able.loc[rows[before:]]
    positives = promising.index[promising >= threshold].to_numpy(np.int64)
    low = _scores_at(cheap, positives)
    asked = len(rows) - before

    def point(recall: float) -> Point:
        cut = certified_cut(low, recall, cascade.confidence, asked=asked, where=snapshot.url)
        total = cheap.histogram.total()
        above = total.documents[total.bins >= cheap.histogram.bins.of(np.array([cut]))[0]].sum()
        return Point(recall, cut, float(above / max(total.documents.sum(), 1)))

    promised = point(cascade.recall)
    certificate = Certificate(
        corpus=snapshot.manifest.version,
        scores=cheap.folder.plan.key,
        cheap=cheap.folder.plan.model,
        model=digest_folder(model),
        threshold=threshold,
        share=cascade.cascade_share,
        confidence=cascade.confidence,
        promised=promised,
        documents=asked,
        positives=len(positives),
        frontier=tuple(point(recall) for recall in RECALLS if cut_rank(len(low), recall, cascade.confidence)),
    )
    certificate.write(root)
    return certificate


def rejection_by(
    snapshot: Snapshot, model: Path, root: str, config: ScoringConfig, certificate: Certificate
) -> Rejection:
    """Return what a certificate rejects, after the scores with the next higher cut that exist."""
    plan = _plan(snapshot, model, config)
    higher = [
        (folder.plan.rejection.cut, folder.plan.key)
        for folder in complete_folders(root)
        if folder.plan.rejection
        and folder.plan.rejection.scores == certificate.scores
        and folder.plan.rejection.cut > certificate.promised.cut
        and _serves(folder.plan, plan)
    ]
    after = min(higher)[1] if higher else ""
    return Rejection(certificate.scores, certificate.promised.cut, certificate.key, after)


def reusable(
    snapshot: Snapshot, model: Path, root: str, config: ScoringConfig, certificate: Certificate
) -> Scores | None:
    """Return complete scores in which no document is rejected that the certificate leaves; None without such scores."""
    planned = _plan(snapshot, model, config)
    for folder in complete_folders(root):
        rejection = folder.plan.rejection
        wide = rejection is None or (
            rejection.scores == certificate.scores and rejection.cut <= certificate.promised.cut
        )
        if wide and _serves(folder.plan, planned):
            return Scores.complete(folder)
    return None


def _plan(snapshot: Snapshot, model: Path, config: ScoringConfig) -> Plan:
    name = token_counter(config.tokenizer).name
    return Plan.of(snapshot, calibrated_info(model), digest_folder(model), name, config)


def _serves(known: Plan, planned: Plan) -> bool:
    """Return True if the scores of a known plan are as good as those that are planned, but for what is rejected.

    Those of the reference are; those of a backend are if the same settings asked for it.
    """

    def apart(plan: Plan, config: ScoringConfig) -> str:
        return replace(plan, rejection=None, backend=None, config=config).key

    if known.backend is None:
        return apart(known, known.config) == apart(planned, planned.config.by_reference())
    return apart(known, known.config) == apart(planned, planned.config)


def _threshold(scores: NDArray[np.float64], info: ModelInfo, share: float | None) -> float:
    """Return the score by the full model that the promise is about.

    For a share, as many documents of the corpus as that reach it, with 95 % confidence: the same kind of limit as the
    cut, so that a selection of the share does not end below what was promised. Raise InputError if nothing is kept.
    """
    from scipy.stats import binom

    if share is None:
        cut = info.calibration.keep_cut if info.calibration else None
        if cut is None:
            raise InputError("this model keeps no document", where="cascade", fix="Give --cascade-share")
        return float(cut)
    if not len(scores):
        raise InputError("no document that was drawn has a score", where="cascade", fix="Draw more documents")
    place = min(int(binom.ppf(0.95, len(scores), share)) + 1, len(scores))
    return float(np.sort(scores)[::-1][place - 1])


def _scores_at(scores: Scores, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the scores of these rows of the corpus, in their order. NaN for documents without a score."""
    wanted = np.sort(rows)
    found = np.full(len(wanted), np.nan)
    for part, table in scores.rows(["score", "reason"]):
        low, high = np.searchsorted(wanted, [part.start, part.stop])
        if low < high:
            here = table.iloc[wanted[low:high] - part.start]
            found[low:high] = here["score"].where(here["reason"].isna()).to_numpy(float)
    return found[np.argsort(np.argsort(rows))]
