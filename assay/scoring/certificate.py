"""Certify a cut of a cheap model: with stated confidence, most of what the full model would keep is kept.

The threshold of the full model is fixed first. Then documents of the whole corpus are drawn at random, and the full
model scores them. The cheap scores of those that reach the threshold are put in order, and the k-th smallest of them
becomes the cut: a distribution-free tolerance limit (Wilks, "Determination of sample sizes for setting tolerance
limits", 1941). The share of the corpus's documents above the threshold that lie below the k-th smallest of n is larger
than 1 - recall with probability P(Binomial(n, 1 - recall) < k) at most, whatever the models and the corpus are; drawing
without replacement makes it smaller (Hoeffding, "Probability inequalities for sums of bounded random variables", 1963).
The documents are drawn one by one from one corpus, so that near-duplicates in it do not weaken the promise, which is
about this corpus alone.
"""

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.scoring.plan import PartFolder
from assay.storage import digest_json, join, only_known_fields, parse_json, read_bytes, write_bytes

FOLDER = "certificates"
FIX = "Run the same `assay score` again: it certifies the cut anew"
RECALLS = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
"""Recalls for which the frontier shows the price, beside the one that was asked for."""


def cut_rank(positives: int, recall: float, confidence: float) -> int:
    """Return the largest rank k such that the k-th smallest of `positives` cheap scores keeps the promise.

    0 if no rank does: then there are fewer than log(1 - confidence) / log(recall) documents, 299 for 0.99 and 0.95.
    """
    from scipy.stats import binom

    ranks = np.arange(1, positives + 1)
    kept = binom.cdf(ranks - 1, positives, 1 - recall) <= 1 - confidence
    return int(kept.sum())


def least_positives(recall: float, confidence: float) -> int:
    """Return the fewest documents above the threshold that can promise a recall."""
    return math.ceil(math.log(1 - confidence) / math.log(recall))


@only_known_fields
@dataclass(frozen=True)
class Point:
    """A promise, and its price."""

    recall: float
    """Share of what the full model would keep that is kept, at least."""
    cut: float
    """Lowest score by the cheap model that the full model must read."""
    scored: float
    """Share of the corpus's documents in scope that the full model reads."""


@only_known_fields
@dataclass(frozen=True)
class Certificate:
    """The promise of a cascade: a corpus, two models, a threshold and a cut."""

    corpus: str
    """Version of the corpus."""
    scores: str
    """Key of the cheap model's scores of the corpus."""
    cheap: str
    """Digest of the cheap model's folder."""
    model: str
    """Digest of the full model's folder."""
    threshold: float
    """Score by the full model from which a document is to be kept."""
    share: float | None
    """Share of the documents in scope that was to reach the threshold; None: it is the model's own."""
    confidence: float
    """Probability with which the promise holds, over the draws of the sample."""
    promised: Point
    documents: int
    """Documents that were drawn for the promise."""
    positives: int
    """Those of them that reach the threshold and are in scope."""
    frontier: tuple[Point, ...]
    """What other promises by the same documents would cost, the weakest first."""

    @property
    def key(self) -> str:
        """Return the first 16 hex digits of its digest: the name of its file."""
        return digest_json(asdict(self))[:16]

    def sentence(self) -> str:
        """Return the promise in words."""
        promised = self.promised
        return (
            f"with {self.confidence:.0%} confidence at least {promised.recall:.1%} of the documents of this corpus "
            f"with a score of {self.threshold:.3f} or more by the full model are kept ({self.positives:,} such among "
            f"{self.documents:,} drawn at random); it reads {promised.scored:.1%} of the documents"
        )

    def write(self, root: str) -> None:
        """Write it below the root of the scores."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        write_bytes(join(root, FOLDER, f"{self.key}.json"), text.encode())

    @classmethod
    def read(cls, root: str, key: str) -> "Certificate":
        """Read a certificate below the root of the scores. Raise InputError if it is missing or damaged."""
        place = join(root, FOLDER, f"{key}.json")
        try:
            found = parse_json(cls, read_bytes(place), what="this certificate", where=place, fix=FIX)
        except FileNotFoundError as error:
            raise InputError("the certificate of these scores is missing", where=place, fix=FIX) from error
        if found.key != key:
            raise InputError("this certificate is not what was written", where=place, fix=FIX)
        return found

    @classmethod
    def of(cls, folder: PartFolder) -> "Certificate | None":
        """Return the certificate of scores; None if every document was scored.

        Raise InputError if it is missing or damaged, or is that of another corpus or of other models.
        """
        rejection = folder.plan.rejection
        if rejection is None:
            return None
        found = cls.read(folder.url.rstrip("/").rpartition("/")[0], rejection.certificate)
        given = {"corpus": folder.plan.snapshot, "model": folder.plan.model, "cheap scores": rejection.scores}
        stated = {"corpus": found.corpus, "model": found.model, "cheap scores": found.scores}
        if other := [name for name, value in given.items() if stated[name] != value]:
            raise InputError(f"this certificate is of another {other[0]}", where=folder.url, fix=FIX)
        return found


def certified_cut(
    cheap: NDArray[np.float64], recall: float, confidence: float, *, asked: int, where: str = "certification"
) -> float:
    """Return the cut for a recall, from the cheap scores of the n documents drawn that reach the threshold.

    NaN is a document that the cheap model did not score, and so cannot reject. `asked`: documents that were drawn.
    Raise InputError if n is too few, with the recall that they can promise.
    """
    rank = cut_rank(len(cheap), recall, confidence)
    if not rank:
        least = least_positives(recall, confidence)
        more = math.ceil(1.2 * least * asked / max(len(cheap), 1) / 100) * 100
        possible = math.floor(1_000 * (1 - confidence) ** (1 / max(len(cheap), 1))) / 1_000
        weaker = f"--recall {possible:g}, " if possible >= 0.5 else ""
        raise InputError(
            f"a recall of {recall:g} needs {least:,} documents above the threshold, and {len(cheap):,} of the "
            f"{asked:,} that were drawn reach it",
            where=where,
            fix=f"Give {weaker}--certify-documents {more}, or leave --cheap out, so that every document is scored",
        )
    return float(np.sort(np.where(np.isnan(cheap), np.inf, cheap))[rank - 1])
