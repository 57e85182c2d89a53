"""The state of a mixture that is being made: a record that grows from pass to pass, and travels between processes."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from assay.mixture.bins import QualityBins, RankedScore
from assay.mixture.cells import Recipe
from assay.mixture.request import MixtureRequest
from assay.storage import digest_json, only_known_fields, parse_json

Pass = Literal["count", "tally", "settle", "write"]
"""The passes over the parts of the scores, in their order."""


@only_known_fields
@dataclass(frozen=True)
class ScorePlace:
    """Scores of the corpus in a folder of parts."""

    name: str
    """Name that the user gave them."""
    folder: str
    rubric: str = ""
    """Further rubric of the model; empty for its main one."""
    low: float = 0.0
    high: float = 0.0
    """Ends of the bins of its scores, of a further rubric alone: those of the main one are in the plan."""


@only_known_fields
@dataclass(frozen=True)
class MixtureJob:
    """Everything that a process needs to take part in making a mixture."""

    snapshot: str
    """Folder or URL of the corpus."""
    corpus: str
    """Version of the corpus."""
    scores: tuple[ScorePlace, ...]
    rubrics: tuple[str, ...]
    """Rubrics of the first model, the main one first. Empty for scores of a column."""
    request: MixtureRequest
    output: str
    """Folder or URL of the mixture."""

    @property
    def key(self) -> str:
        """Return the first 16 digits of a digest: equal for the same corpus, scores and request."""
        # The last part of a folder's URL is the key of its plan, wherever the scores are.
        plans = [[place.folder.rstrip("/").rpartition("/")[2], place.rubric] for place in self.scores]
        return digest_json([self.corpus, plans, list(self.rubrics), self.request.to_json()])[:16]

    def to_json(self) -> str:
        """Return the job as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "MixtureJob":
        """Read what `to_json` returned. Raise InputError for anything else."""
        return parse_json(cls, text, what="this job")


@only_known_fields
@dataclass(frozen=True)
class Cut:
    """The last document of a unit that is in the mixture more often than the others."""

    bin: int
    """Documents with a key in a lower bin are before it."""
    key: float | None = None
    """Key of the last one within the bin; None if no document of the bin is before it."""
    id: str = ""
    row: int = -1


@only_known_fields
@dataclass(frozen=True)
class MixtureState:
    """What is known after the passes that are done."""

    next: Pass
    scores: tuple[RankedScore, ...]
    weights: tuple[float, ...]
    low: float
    high: float
    learned: str = ""
    """A sentence on the weights that were learned."""
    bins: QualityBins | None = None
    moved: dict[str, float] | None = None
    """Topic -> share of the tokens in other bins than when the bins were made; None for bins of this corpus."""
    recipe: Recipe | None = None
    bin_cuts: tuple[tuple[int, int], ...] = ()
    """Of each unit: the bin of keys in which its cut falls, and the tokens in the bins before it."""
    cuts: tuple[Cut, ...] = ()

    def to_json(self) -> str:
        """Return the state as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "MixtureState":
        """Read what `to_json` returned. Raise InputError for anything else."""
        return parse_json(cls, text, what="this state of a mixture")
