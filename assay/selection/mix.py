"""The mix of a corpus compared with that of the calibration documents, on which every promise and probability rests."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.model import Calibration, KeepTarget, ModelInfo, Profile
from assay.proportions import CONFIDENCE
from assay.scoring import Scores
from assay.selection.request import SelectionRequest

FloatArray = NDArray[np.float64]
LEAST_REFERENCE = 50
"""Independent documents of the reference below which nothing is compared."""
ROUNDS = 2_000
"""Steps of the estimate at most; it has converged long before."""


@dataclass(frozen=True)
class Mix:
    """How far the scores of a corpus are distributed as those of the calibration documents.

    The estimates assume label shift: good documents have the same scores in both, and so have bad ones; only their
    shares differ.
    """

    distance: float
    """Largest distance of the distribution functions of the score (Kolmogorov-Smirnov)."""
    by_chance: float
    """Distance that samples of these sizes exceed in at most 5 of 100 cases without any difference."""
    labelled: float
    """Share of the calibration documents whose label reaches the threshold."""
    estimated: float
    """Estimated share of the corpus, under label shift."""
    left: float
    """Distance that remains if the calibration documents are weighted to the estimated share: what label shift does not
    explain."""
    precision: float | None = None
    """Estimated share of good documents above the cut, under label shift. None without a cut."""
    precision_uncorrected: float | None = None
    """The same by p_keep as it is: for the mix of the calibration documents."""

    def is_another(self, limit: float) -> bool:
        """Return True if the distance is above the limit beyond chance."""
        return self.distance - self.by_chance > limit

    def sentences(self, limit: float) -> list[str]:
        """Return the comparison as sentences, the most important first."""
        measured = f"the distribution functions of the score are {self.distance:.2f} apart"
        if not self.is_another(limit):
            return [
                f"The corpus has scores like the calibration documents ({measured}; {self.by_chance:.2f} is chance, "
                f"and {limit:g} more is allowed). A distance of scores does not show everything: `assay audit` "
                "measures the precision and recall of this corpus."
            ]
        lines = [
            f"The corpus is another mix than the calibration documents: {measured}, of which {self.by_chance:.2f} may "
            f"be chance and {limit:g} more is allowed. Precision, recall and p_keep hold for the mix of the "
            f"calibration documents, {self.labelled:.1%} of which reach the threshold. `assay audit` measures those of "
            "this corpus."
        ]
        if self.left - self.by_chance > limit:
            lines.append(
                "Another share of good documents alone does not explain it (a distance of "
                f"{self.left:.2f} remains), so no corrected figure is given."
            )
        else:
            at_cut = (
                f" Of the documents above the cut {self.precision:.0%} are then good, and not "
                f"{self.precision_uncorrected:.0%} as p_keep states."
                if self.precision is not None and self.precision_uncorrected is not None
                else ""
            )
            lines.append(
                f"If good documents look alike in both, and bad ones too (label shift), {self.estimated:.1%} of the "
                f"corpus reach the threshold.{at_cut} --correct-p-keep writes p_keep for that share."
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def compare_mix(model: Path, info: ModelInfo, scores: Scores, calibration: Calibration) -> Mix | str:
    """Return the mix of a scored corpus, or the reason why it cannot be compared."""
    if scores.folder.plan.rejection:
        return "documents that a cheap model rejected have no score"
    try:
        reference = Profile.read(model, scores.rubric)
    except InputError as error:
        return str(error)
    if reference.independent < LEAST_REFERENCE:
        return f"the reference has {reference.documents} documents, worth {reference.independent:.0f} independent ones"
    if calibration.curve is None:
        return "this model keeps no curve of precision and recall"
    rubric = info.aspects[info.output_of(scores.rubric or info.rubric.name)].rubric
    if (reference.low, reference.high) != (rubric.low, rubric.high):
        return "the reference is of another scale"
    return mix_of(reference, scores, calibration, calibration.curve.positive / calibration.curve.documents)


def mix_of(reference: Profile, scores: Scores, calibration: Calibration, labelled: float) -> Mix:
    """Compare the documents in scope with a reference. `labelled`: share of positive ones among those calibrated on."""
    known = np.array([reference.score_at(cell) for cell in reference.scores], float)
    known += (reference.high - reference.low) / 2_048  # the middle of a cell
    known_counts = np.array(list(reference.scores.values()), float)
    centres, counts = _corpus(scores)
    a, b = reference.independent, float(counts.sum())
    # Wei and Dudley 2012, as in the watch: e exp(-2 d² ab / (a + b)).
    chance = min(1.0, math.sqrt((1 - math.log(1 - CONFIDENCE)) * (a + b) / (2 * a * b)))
    estimated = estimate_share(calibration.apply(centres).p_keep, counts, labelled)
    weight = _class_weights(calibration.apply(known).p_keep, labelled, estimated)
    return Mix(
        distance=_distance(reference, known_counts, scores),
        by_chance=chance,
        labelled=labelled,
        estimated=estimated,
        left=_distance(reference, known_counts * weight, scores),
    )


def at_cut(mix: Mix, scores: Scores, calibration: Calibration, cut: float) -> Mix:
    """Return the mix with the estimated precision above a cut."""
    centres, counts = _corpus(scores)
    above = np.where(centres >= cut, counts, 0.0)
    if not above.any():
        return mix
    stated = calibration.apply(centres).p_keep
    corrected = shifted(stated, mix.labelled, mix.estimated)
    total = above.sum()
    return replace(mix, precision=float(above @ corrected / total), precision_uncorrected=float(above @ stated / total))


def estimate_share(p: FloatArray, counts: FloatArray, labelled: float) -> float:
    """Return the share of positive documents in a corpus, from the probabilities of a model of another share.

    Maximum likelihood by expectation-maximisation (Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a
    Classifier to New a Priori Probabilities", Neural Computation 14, 2002). Assumption: label shift. `p`: probabilities
    for the share `labelled`; `counts`: documents with each, both of shape (n,).
    """
    share, total = labelled, counts.sum()
    for _ in range(ROUNDS):
        before, share = share, float(counts @ shifted(p, labelled, share) / total)
        if abs(share - before) < 1e-9:
            break
    return min(max(share, 1e-6), 1 - 1e-6)


def shifted(p: FloatArray, labelled: float, share: float) -> FloatArray:
    """Return probabilities for another share of positive documents, by Bayes' rule (the same paper)."""
    yes, no = p * share / labelled, (1 - p) * (1 - share) / (1 - labelled)
    return yes / (yes + no)


def require_mix(mix: Mix | str, request: SelectionRequest, calibration: Calibration) -> None:
    """Raise InputError if a promised target is requested for a corpus of another mix than it was promised for."""
    target = KeepTarget.parse(request.keep) if request.keep is not None else None
    if target is None or target.aim not in ("precision", "recall") or not target.promised:
        if request.correct_p_keep and not isinstance(mix, Mix):
            raise InputError(f"p_keep cannot be corrected: {mix}", where="selection", fix="Leave --correct-p-keep out")
        return
    if isinstance(mix, Mix) and mix.is_another(request.mix_distance):
        raise InputError(
            f"{target} cannot be promised for this corpus. {' '.join(mix.sentences(request.mix_distance))}",
            where=f"calibration part of {calibration.documents} documents",
            fix=f"Give {str(target).replace('=', '~')}, a share or a budget, and audit the selection; label documents "
            "of this corpus; or allow a larger --mix-distance",
        )


def in_words(mix: dict[str, Any] | str | None, limit: float) -> list[str]:
    """Return the sentences of a mix in the provenance of a selection. Empty for selections of earlier releases."""
    if mix is None:
        return []
    if isinstance(mix, str):
        return [f"The mix of the corpus was not compared with that of the calibration documents: {mix}."]
    return Mix(**mix).sentences(limit)


def _corpus(scores: Scores) -> tuple[FloatArray, FloatArray]:
    """Return the middle of each bin that is not empty, and the documents in it."""
    total, bins = scores.histogram.total(), scores.histogram.bins
    return bins.low + (total.bins + np.float64(0.5)) * bins.width, total.documents.astype(np.float64)


def _class_weights(p: FloatArray, labelled: float, share: float) -> FloatArray:
    """Return the weights that give documents of the labelled share another one."""
    return p * share / labelled + (1 - p) * (1 - share) / (1 - labelled)


def _distance(reference: Profile, of_reference: FloatArray, scores: Scores) -> float:
    """Return the largest distance of the distribution functions at the edges of the reference's cells.

    `of_reference`: weight of each cell of the reference, in its order. An edge may lie within a bin of the corpus. Then
    the nearer end of the bin counts, so that no rounding makes a distance.
    """
    cells = np.array([*reference.scores])
    order = np.argsort(cells)
    cells, below = cells[order], np.concatenate([[0.0], np.cumsum(of_reference[order]) / of_reference.sum()])
    edges = np.unique(np.concatenate([cells, cells + 1]))
    at_edge = below[np.searchsorted(cells, edges)]
    total, bins = scores.histogram.total(), scores.histogram.bins
    share = np.concatenate([[0.0], np.cumsum(total.documents) / total.documents.sum()])
    place = (np.array([reference.score_at(edge) for edge in edges]) - bins.low) / bins.width
    least, most = (share[np.searchsorted(total.bins, end(place))] for end in (np.floor, np.ceil))
    return float(np.maximum(np.maximum(at_edge - most, least - at_edge), 0).max())
