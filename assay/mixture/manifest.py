"""The manifest of a mixture: what was requested, what came out, and what each cell has."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.mixture.reading import Reader
from assay.mixture.references import read_counts
from assay.mixture.state import MixtureJob, MixtureState
from assay.storage import digest_json, exists, join, only_known_fields, parse_json, read_bytes

FORMAT = 1
MANIFEST, BINS = "mixture.json", "bins.json"


@only_known_fields
@dataclass(frozen=True)
class MixedCell:
    """A cell, and what the mixture has of it."""

    topic: str
    bin: int
    documents_there: int
    """Documents of the corpus."""
    tokens_there: int
    wanted: float
    """Repeat of the recipe."""
    documents: int
    """Different documents in the mixture."""
    tokens: int
    copies: int
    """Documents in the mixture, repeats included."""
    copied_tokens: int

    @property
    def repeat(self) -> float:
        """Return the times that a token of the corpus is in the mixture in the mean."""
        return self.copied_tokens / self.tokens_there if self.tokens_there else 0.0


@only_known_fields
@dataclass(frozen=True)
class Mixture:
    """A mixture that is complete."""

    key: str
    """Digest of corpus, scores and request."""
    corpus: str
    scores: tuple[str, ...]
    """Names of the scores, as the user gave them."""
    models: tuple[str, ...]
    """Digests of their models."""
    tokenizer: str
    """Name of what counts the tokens."""
    bins: str
    """Version of the bins file."""
    request: Mapping[str, Any]
    cells: tuple[MixedCell, ...]
    aims: Mapping[str, int]
    short: Mapping[str, int]
    moved: Mapping[str, float] | None
    merged: tuple[str, ...]
    learned: str
    rows_per_part: int
    rows: int
    """Documents of the corpus."""
    format: int = FORMAT

    @property
    def version(self) -> str:
        """Return the digest of the manifest."""
        return digest_json(asdict(self))

    @property
    def budget(self) -> int:
        """Return the tokens that were requested."""
        return int(self.request["token_budget"])

    @property
    def documents(self) -> int:
        """Return the different documents in the mixture."""
        return sum(cell.documents for cell in self.cells)

    @property
    def tokens(self) -> int:
        """Return the tokens of the different documents."""
        return sum(cell.tokens for cell in self.cells)

    @property
    def copies(self) -> int:
        """Return the documents of the mixture, repeats included."""
        return sum(cell.copies for cell in self.cells)

    @property
    def copied_tokens(self) -> int:
        """Return the tokens of the mixture, repeats included."""
        return sum(cell.copied_tokens for cell in self.cells)

    @property
    def lost(self) -> int:
        """Return the tokens of the budget that whole documents leave, beyond those that are short."""
        return self.budget - self.copied_tokens - self.short.get("", 0)

    def to_json(self) -> str:
        """Return the file: the version first."""
        return json.dumps({"version": self.version, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def read(cls, output: str) -> "Mixture":
        """Read the manifest of a mixture. Raise InputError if it is missing, or was changed."""
        place = join(output, MANIFEST)
        try:
            fields = json.loads(read_bytes(place))
            version = fields.pop("version")
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, AttributeError) as error:
            raise InputError("no complete mixture", where=output, fix="Run `assay mix` first, to its end") from error
        found = parse_json(cls, json.dumps(fields), what="this mixture", where=place)
        if found.version != version:
            raise InputError("this mixture is not what was written", where=place, fix="Mix again")
        return found


def find_mixture(job: MixtureJob) -> Mixture | None:
    """Return the mixture of a job if it is complete. Raise InputError if its place holds something else."""
    if not exists(job.output):
        return None
    if exists(join(job.output, MANIFEST)):
        found = Mixture.read(job.output)
        if found.key == job.key:
            return found
        raise InputError("another mixture exists here", where=job.output, fix="Remove it, or name another output")
    if exists(join(job.output, _plan(job))):
        return None
    raise InputError("the output exists already", where=job.output, fix="Remove it, or name another")


def _plan(job: MixtureJob) -> str:
    """Return the name of the file that marks a place as that of a mixture which is being made."""
    return f"_plan-{job.key}.json"


def plan_file(job: MixtureJob) -> str:
    """Return the path or URL of the empty file that marks the place of a mixture, and stays in it."""
    return join(job.output, _plan(job))


def mixture_of(job: MixtureJob, state: MixtureState) -> Mixture:
    """Return the manifest of a mixture whose references are written."""
    assert state.bins is not None
    assert state.recipe is not None
    reader = Reader(job, state)
    plan = reader.folders[0].plan
    counts = read_counts(job, reader.parts(), len(state.recipe.cells))
    cells = tuple(
        MixedCell(cell.topic, cell.bin, cell.documents, cell.tokens, cell.repeat, *np.asarray(row).tolist())
        for cell, row in zip(state.recipe.cells, counts, strict=True)
    )
    return Mixture(
        key=job.key,
        corpus=job.corpus,
        scores=tuple(place.name for place in job.scores),
        models=tuple(folder.plan.model for folder in reader.folders),
        tokenizer=plan.tokenizer,
        bins=state.bins.version,
        request=job.request.to_json(),
        cells=cells,
        aims=state.recipe.aims,
        short=state.recipe.short,
        moved=state.moved,
        merged=state.bins.merged,
        learned=state.learned,
        rows_per_part=plan.config.rows_per_part,
        rows=plan.rows,
    )
