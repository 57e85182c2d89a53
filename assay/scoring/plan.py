"""The plan of a scoring: which documents are scored by which model, and in which parts.

    <root>/<key>/_plan.json                               the plan
    <root>/<key>/rows-000000000000-000000005000.parquet   the scores of one part; it appears when it is complete
    <root>/<key>/_manifest.json                           the totals, written when all parts exist

A folder of parts reads as one Parquet data set. A part depends on its plan and its rows only. So its bytes are the same
whichever process scores it, and however often.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal, get_args

from assay.backends import BACKENDS, REFERENCE
from assay.errors import InputError
from assay.inference import Band, Limits
from assay.model import ModelInfo
from assay.options import group
from assay.rubric import Rubric
from assay.scoring.histogram import Bins
from assay.storage import PlannedFolder, Snapshot, digest_json, only_known_fields

FORMAT = 1
"""Increased when a change of the code gives other scores for the same plan, so that old parts are not reused."""
PLAN = "_plan.json"
EmbeddingsName = Literal["", "int8"]
AUTO = "auto"
BACKEND_DEFAULTS: dict[str, Any] = {"backend": REFERENCE, "backend_share": None, "backend_documents": 4_000}
"""Settings of ScoringConfig that are of no use without a backend."""


@only_known_fields
@dataclass(frozen=True)
class ScoringConfig:
    """Settings of a scoring."""

    rows_per_part: int = 5_000
    """Documents in a part. The scores of a part appear together, and are lost if the process dies before that."""
    tokenizer: str = ""
    """Tokenizer that counts the tokens of budgets, as a folder or OWNER/NAME@REVISION. Empty: UTF-8 bytes / 4."""
    slice_by: str = ""
    """Column of the corpus whose values are counted separately. Empty: no column."""
    backend: str = REFERENCE
    """Library and arithmetic that compute the network: pytorch, in the model's own precision, or pytorch-bf16,
    pytorch-int8, onnxruntime-fp32, onnxruntime-int8, openvino-fp32, openvino-bf16, openvino-int8, openvino-int8-bf16;
    auto: what is fastest where the scoring is planned. What it changes is measured on documents of the corpus."""
    backend_share: float | None = None
    """Share of the documents in scope that is to be kept: documents whose score by the backend lies near that cut are
    read again by pytorch. Without it, those near the model's own cut."""
    backend_documents: int = 4_000
    """Documents drawn at random that both the backend and pytorch read: one in four to find the band around the cut,
    the others to count decisions that change."""
    embeddings: EmbeddingsName = ""
    """Form in which the vector of each document is kept, from which a new head scores the corpus without reading it:
    int8. Empty: none is kept."""
    limits: Limits = field(default_factory=Limits, metadata=group(title="what counts as a document"))
    """Limits of what counts as a document."""

    def __post_init__(self) -> None:
        if self.embeddings not in get_args(EmbeddingsName):
            raise InputError(f"embeddings is {self.embeddings!r}", fix="Give int8, or leave it out")
        if self.backend not in (*BACKENDS, AUTO):
            raise InputError(f"no backend {self.backend!r}", fix=f"Give one of: {', '.join([*BACKENDS, AUTO])}")
        if self.backend_share is not None and not 0 < self.backend_share < 1:
            raise InputError(f"backend_share is {self.backend_share:g}", fix="Give more than 0, below 1")
        if self.backend_documents < 100:
            raise InputError(f"backend_documents is {self.backend_documents}", fix="Give 100 or more")
        if self.backend != REFERENCE and self.embeddings:
            raise InputError(
                f"the backend {self.backend} keeps no vectors: those of pytorch are wanted", fix="Leave one of them out"
            )
        if self.rows_per_part < 1:
            raise InputError(f"rows_per_part is {self.rows_per_part}", fix="Give 1 or more")

    def by_reference(self) -> "ScoringConfig":
        """Return the settings without a backend."""
        return replace(self, **BACKEND_DEFAULTS)


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a snapshot, from `start` to before `stop`."""

    start: int
    stop: int

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return f"rows-{self.start:012d}-{self.stop:012d}.parquet"


@only_known_fields
@dataclass(frozen=True)
class Rejection:
    """What a cheap model decided before: documents whose score by it is below the cut are not scored."""

    scores: str
    """Key of the cheap model's scores, whose folder is beside this one and has the same parts."""
    cut: float
    """Lowest score by the cheap model that is scored by the full one."""
    certificate: str
    """Key of the certificate that the cut comes from."""
    after: str = ""
    """Key of earlier scores with a higher cut, whose documents are copied. Empty: all are scored."""


@only_known_fields
@dataclass(frozen=True)
class Backend:
    """What computes the network in place of the reference, and what the reference reads again."""

    name: str
    network: str
    """Name of the exported network's folder, below that of the measurements. Empty: the model folder is enough."""
    bands: tuple[Band, ...]
    """For each rubric. Empty: the scores are left as the backend gives them."""
    measurement: str = ""
    """Key of the measurement that the bands come from."""


def bins_of(rubric: Rubric) -> Bins:
    """Return the bins of the scores by a rubric: its scale, and as much again on both sides.

    A raw score may be outside the scale of the labels.
    """
    width = rubric.high - rubric.low
    return Bins(rubric.low - width, rubric.high + width)


@dataclass(frozen=True)
class Plan:
    """Everything that the scores depend on."""

    snapshot: str
    """Version of the corpus, 64 hex digits."""
    rows: int
    """Documents in the corpus."""
    model: str
    """Digest of the model folder, 64 hex digits."""
    tokenizer: str
    """Name of what counts the tokens of budgets."""
    bins: Bins
    config: ScoringConfig
    rejection: Rejection | None = None
    """What a cheap model rejects. None: every document is scored."""
    backend: Backend | None = None
    """What computes the network. None: the reference."""
    vectors: str = ""
    """Key of the scores whose vectors are read instead of the documents. Empty: the documents are read."""

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        info: ModelInfo,
        model: str,
        tokenizer: str,
        config: ScoringConfig,
        rejection: Rejection | None = None,
    ) -> "Plan":
        """Plan the scoring of a snapshot. Raise InputError if it lacks the column to slice by."""
        schema = snapshot.manifest.schema
        if config.slice_by and config.slice_by not in schema:
            raise InputError(
                f"no column {config.slice_by!r} to slice by",
                where=snapshot.url,
                fix=f"Name one of: {', '.join(schema)}",
            )
        bins = bins_of(info.rubric)
        return cls(snapshot.manifest.version, snapshot.manifest.rows, model, tokenizer, bins, config, rejection)

    def require(self, snapshot: Snapshot) -> None:
        """Raise InputError if a snapshot is not the one that was planned."""
        if snapshot.manifest.version != self.snapshot:
            raise InputError(
                f"this corpus is version {snapshot.manifest.version[:12]}, and {self.snapshot[:12]} was to be scored",
                where=snapshot.url,
                fix="It was replaced meanwhile: run the same command again",
            )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values. What was unknown to earlier releases is in it where it is used."""
        fields = asdict(self)
        if self.rejection is None:
            del fields["rejection"]
        if not self.vectors:
            del fields["vectors"]
        if self.backend is None:
            del fields["backend"]
        if self.config.backend == REFERENCE:
            for name in BACKEND_DEFAULTS:
                del fields["config"][name]
        if not self.config.embeddings:
            del fields["config"]["embeddings"]
        return {"format": FORMAT, **fields}

    @property
    def key(self) -> str:
        """Return the first 16 hex digits of the plan's digest: the name of the folder of its parts."""
        return digest_json(self.to_json())[:16]

    def parts(self) -> list[Part]:
        """Return all parts, in order."""
        return self.parts_between(0, self.rows)

    def parts_between(self, start: int, stop: int) -> list[Part]:
        """Return the parts that hold a row from `start` to before `stop`, in order."""
        step = self.config.rows_per_part
        first = start // step * step
        return [Part(at, min(at + step, self.rows)) for at in range(first, min(stop, self.rows), step)]


@dataclass(frozen=True)
class PartFolder(PlannedFolder[Plan]):
    """The folder with the parts of a plan."""

    plan_type: ClassVar[type[Any]] = Plan
    plan_name: ClassVar[str] = PLAN
    indent: ClassVar[int] = 2
    results: ClassVar[str] = "scores"
    fix: ClassVar[str] = "Score the corpus first"

    def missing(self) -> list[Part]:
        """List the folder and return the parts that do not exist yet."""
        return self.absent(self.plan.parts(), lambda part: part.name)
