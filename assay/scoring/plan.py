"""What is scored with what, and in which parts: the plan names every result before there is one.

    <root>/<key>/_plan.json                          what the key stands for
    <root>/<key>/rows-000000000000-000000005000.parquet   one part, there when it is complete
    <root>/<key>/_manifest.json                      written when all parts are there

A folder of parts reads as one Parquet data set. A part depends on nothing but its plan and its rows, so whoever
scores it, and how often, there is one result.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from assay.errors import InputError
from assay.inference import Limits
from assay.model import ModelInfo
from assay.rubric import Rubric
from assay.scoring.histogram import Bins
from assay.storage import Snapshot, digest_json, exists, join, list_names, read_bytes, write_bytes

T = TypeVar("T")
FORMAT = 1
"""Raised when the same model would say something else of the same document."""
PLAN = "_plan.json"
NAME = re.compile(r"rows-(\d{12})-(\d{12})\.parquet")


@dataclass(frozen=True)
class ScoringConfig:
    """How a corpus is scored."""

    rows_per_part: int = 5_000
    """Documents whose scores appear at once, and are lost when the process dies before: more on fast machines."""
    tokenizer: str = ""
    """What counts tokens for budgets: a folder or OWNER/NAME@REVISION; empty: an estimate from bytes."""
    slice_by: str = ""
    """Column whose values are counted apart."""
    limits: Limits = field(default_factory=Limits)
    """What counts as a document."""

    def __post_init__(self) -> None:
        if self.rows_per_part < 1:
            raise InputError(f"rows_per_part is {self.rows_per_part}", fix="Give 1 or more")


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a snapshot."""

    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"rows-{self.start:012d}-{self.stop:012d}.parquet"


def deal(parts: Sequence[T], hands: int) -> list[list[T]]:
    """Parts dealt out in turn to at most so many hands, none of them empty. Raises InputError for no hands."""
    if hands < 1:
        raise InputError(f"{hands} workers", fix="Give 1 or more")
    return [list(parts[first::hands]) for first in range(min(hands, len(parts)))]


def bins_of(rubric: Rubric) -> Bins:
    """Bins for the scores by a rubric: on the scale of its labels, but nothing keeps a raw score inside."""
    width = rubric.high - rubric.low
    return Bins(rubric.low - width, rubric.high + width)


@dataclass(frozen=True)
class Plan:
    """Everything that the scores depend on."""

    snapshot: str
    """Version of the corpus, 64 hex digits."""
    rows: int
    model: str
    """Digest of the model folder, 64 hex digits."""
    tokenizer: str
    """What counts tokens for budgets."""
    bins: Bins
    config: ScoringConfig

    @classmethod
    def of(cls, snapshot: Snapshot, info: ModelInfo, model: str, tokenizer: str, config: ScoringConfig) -> "Plan":
        """Raises InputError where the snapshot has no column to slice by."""
        schema = snapshot.manifest.schema
        if config.slice_by and config.slice_by not in schema:
            raise InputError(
                f"no column {config.slice_by!r} to slice by",
                where=snapshot.url,
                fix=f"Name one of: {', '.join(schema)}",
            )
        bins = bins_of(info.rubric)
        return cls(snapshot.manifest.version, snapshot.manifest.rows, model, tokenizer, bins, config)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Plan":
        """The inverse of `to_json`; raises KeyError or TypeError for anything else."""
        config = {**fields["config"], "limits": Limits(**fields["config"]["limits"])}
        rest = {name: fields[name] for name in ("snapshot", "rows", "model", "tokenizer")}
        return cls(**rest, bins=Bins(**fields["bins"]), config=ScoringConfig(**config))

    @property
    def key(self) -> str:
        """First 16 hex digits of the plan's digest: the folder of its parts."""
        return digest_json(self.to_json())[:16]

    def parts(self) -> list[Part]:
        """All parts, in order."""
        step = self.config.rows_per_part
        return [Part(start, min(start + step, self.rows)) for start in range(0, self.rows, step)]


@dataclass(frozen=True)
class PartFolder:
    """Where the parts of a plan lie."""

    url: str
    plan: Plan

    @classmethod
    def create(cls, root: str, plan: Plan) -> "PartFolder":
        """The plan's folder below `root`; making it again changes nothing."""
        folder = cls(join(root, plan.key), plan)
        if not exists(join(folder.url, PLAN)):
            write_bytes(join(folder.url, PLAN), json.dumps(plan.to_json(), indent=2).encode())
        return folder

    @classmethod
    def open(cls, url: str) -> "PartFolder":
        """Raises InputError where no plan was made."""
        try:
            return cls(url, Plan.from_json(json.loads(read_bytes(join(url, PLAN)))))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"no scores here: {PLAN} is missing", where=url, fix="Score the corpus first") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"this plan cannot be read: {error!r}", where=join(url, PLAN)) from error

    def missing(self) -> list[Part]:
        """Parts that are not there yet, as the store says now."""
        there = set(list_names(self.url))
        return [part for part in self.plan.parts() if part.name not in there]
