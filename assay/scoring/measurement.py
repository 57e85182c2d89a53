"""What was measured of a backend on documents of a corpus, and what it promises."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.backends import REFERENCE
from assay.errors import InputError
from assay.inference import Band
from assay.proportions import CONFIDENCE, clopper_pearson
from assay.scoring.networks import FOLDER
from assay.scoring.plan import PartFolder, Plan
from assay.storage import create, join, only_known_fields, parse_json, read_bytes

FloatArray = NDArray[np.float64]
FIX = "Remove it, and run the same again: it is measured anew"


class CutPlace(NamedTuple):
    """Where a cut is: at `middle`, or, read off documents drawn, from `low` to `high`. NaN: there is none."""

    middle: float
    low: float
    high: float


def fit_band(fast: FloatArray, exact: FloatArray, cut: CutPlace) -> Band:
    """Return the map of a backend's scores by least squares, and the band: the cut, and the largest error around it.

    `fast`, `exact`: scores of the same documents by the backend and by the reference, shape (n,). Raise InputError for
    fewer than two, or if all are equal.
    """
    if len(fast) < 2 or np.ptp(fast) == 0:
        raise InputError("too few scores to compare a backend with", where="backend", fix="Draw more documents")
    slope, intercept = (float(value) for value in np.polyfit(fast, exact, 1))
    width = float(np.abs(slope * fast + intercept - exact).max())
    if np.isnan(cut.low):
        return Band(slope, intercept)
    return Band(slope, intercept, cut.low - width, cut.high + width)


def compare(bands: Sequence[Band], fast_DR: FloatArray, exact_DR: FloatArray, cut: float) -> dict[str, Any]:
    """Return the counts of a Measurement: what is read again, kept and decided otherwise, by the main rubric's cut.

    `fast_DR`, `exact_DR`: scores of documents that took no part in fitting the bands, shape (documents, rubrics).
    """
    mapped = np.stack([band.map(score) for band, score in zip(bands, fast_DR.T, strict=True)])
    again = np.any([band.holds(score) for band, score in zip(bands, mapped, strict=True)], axis=0)
    exact = exact_DR[:, 0]
    decided, right = np.where(again, exact, mapped[0]) >= cut, exact >= cut
    return {
        "documents": len(exact),
        "again": int(again.sum()),
        "changed": int((decided != right).sum()),
        "kept": int(right.sum()),
        "error": float(np.abs(mapped[0] - exact).max(initial=0)),
    }


@only_known_fields
@dataclass(frozen=True)
class Measurement:
    """What a backend does to the scores of a corpus."""

    corpus: str
    """Version of the corpus."""
    model: str
    """Digest of the model's folder."""
    asked: str
    """Backend that was asked for: its name, or auto."""
    name: str
    """Backend that was chosen."""
    network: str = ""
    """Name of the folder of the exported network; empty if there is none."""
    bands: tuple[Band, ...] = ()
    """For each rubric of the model, the main one first."""
    rates: dict[str, float] = field(default_factory=dict)
    """Documents a second of each backend that `auto` timed, what is read again included."""
    documents: int = 0
    """Documents in scope on which decisions were compared."""
    again: int = 0
    """Those of them that are read again."""
    changed: int = 0
    """Those whose decision by the main rubric is another one than by the reference alone."""
    kept: int = 0
    """Those that the reference keeps."""
    error: float = 0.0
    """Largest error of a score by the main rubric among them, after the map, in labels."""

    @property
    def bound(self) -> float:
        """Upper bound, with 95 % confidence, of the decisions that change in the corpus, relative to what is kept."""
        # Half of the risk for each of the two shares (Bonferroni).
        tail = (1 - CONFIDENCE) / 2
        most = float(clopper_pearson(self.changed, self.documents, tail)[1])
        least = float(clopper_pearson(self.kept, self.documents, tail)[0])
        return most / least if least > 0 else float("inf")

    def sentence(self) -> str:
        """Return what it promises, for people."""
        again = self.again / max(self.documents, 1)
        promise = f"with {CONFIDENCE:.0%} confidence at most {self.bound:.2%} of what is kept"
        if not self.kept:
            promise = "nothing can be promised of what is kept; draw more documents"
        return (
            f"{self.name} computes the network, and {REFERENCE} reads {again:.1%} of the documents again, those near "
            f"the cut; of {self.documents:,} documents drawn at random, {self.changed:,} decisions changed beside "
            f"{self.kept:,} kept: {promise}"
        )

    @classmethod
    def read(cls, root: str, key: str) -> "Measurement":
        """Read a measurement below the root of the scores. Raise InputError if it is missing or damaged."""
        place = measurement_place(root, key)
        try:
            return parse_json(cls, read_bytes(place), what="this measurement of a backend", where=place, fix=FIX)
        except FileNotFoundError as error:
            raise InputError("the measurement of this backend is missing", where=place, fix=FIX) from error

    @classmethod
    def of(cls, folder: PartFolder) -> "Measurement | None":
        """Return the measurement behind scores; None if the reference gave them.

        Raise InputError if it is missing or damaged, or is that of another corpus or model.
        """
        backend = folder.plan.backend
        if backend is None:
            return None
        found = cls.read(folder.url.rstrip("/").rpartition("/")[0], backend.measurement)
        if (found.corpus, found.model, found.name) != (folder.plan.snapshot, folder.plan.model, backend.name):
            raise InputError("this measurement is of another corpus, model or backend", where=folder.url, fix=FIX)
        return found

    def write_first(self, root: str, key: str) -> "Measurement":
        """Write it unless another process was faster, and return the one that is there."""
        try:
            create(measurement_place(root, key), (json.dumps(asdict(self), indent=2) + "\n").encode())
        except FileExistsError:
            return Measurement.read(root, key)
        return self


def measurement_key(plan: Plan) -> str:
    """Return the name of the measurement for a plan: that of the plan without what a cheap model rejects."""
    return replace(plan, rejection=None, backend=None).key


def measurement_place(root: str, key: str) -> str:
    """Return the path or URL of a measurement."""
    return join(root, FOLDER, f"{key}.json")
