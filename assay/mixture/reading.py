"""Read the documents of a corpus by rows: their quality, topic and tokens, from the scores and few columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import InputError
from assay.mixture.bins import RankedScore
from assay.mixture.state import MixtureJob, MixtureState
from assay.scoring import Bins, Part, PartFolder, Scores, read_rows
from assay.storage import Snapshot

P_KEEP = "p_keep"
NO_TOPIC = "(none)"
"""Topic of documents whose column is empty."""
EMPTY = (None, "", "None")
"""Values that are no topic. Scores sliced by a column have the text None for an empty value."""
READ = ["id", "score", "budget_tokens", "reason", "in_scope"]


@dataclass(frozen=True)
class Block:
    """Documents of consecutive rows that can be in a mixture, n of them: arrays of shape (n,)."""

    row: NDArray[np.int64]
    id: NDArray[np.object_]
    quality: NDArray[np.float64]
    place: NDArray[np.int64]
    """Step of the axis of quality."""
    topic: NDArray[np.object_]
    tokens: NDArray[np.int64]


def open_scores(job: MixtureJob) -> list[Scores]:
    """Open the scores of a job. Raise InputError if they are of another corpus, or of a cascade."""
    found = []
    for place in job.scores:
        scores = Scores.complete(PartFolder.open(place.folder))
        if scores.folder.plan.snapshot != job.corpus:
            raise InputError(f"the scores {place.name!r} are of another corpus", where=place.folder)
        if scores.folder.plan.rejection:
            raise InputError(
                "what a cheap model rejected has no place among the others",
                where=place.folder,
                fix="Score without --cheap",
            )
        found.append(replace(scores, rubric=place.rubric))
    return found


def joined(
    scores: Sequence[RankedScore], join: str, weights: Sequence[float], values: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the quality of n documents, from their values of each score, shape (n,) each."""
    if len(values) == 1:
        return values[0]
    ranks = np.stack([score.rank(each) for score, each in zip(scores, values, strict=True)])
    if join == "max":
        return np.asarray(ranks.max(axis=0))
    given = np.array(weights or [1.0] * len(values))
    return np.asarray(given @ ranks / given.sum())


def topics_of(values: Iterable[Any]) -> NDArray[np.object_]:
    """Return the topics of the values of a column, shape (n,)."""
    return np.array([NO_TOPIC if value in EMPTY else str(value) for value in values], object)


@dataclass(frozen=True)
class Reader:
    """Reads blocks of a job. A process opens the corpus and the scores once."""

    job: MixtureJob
    state: MixtureState

    @cached_property
    def folders(self) -> list[PartFolder]:
        """Return the folders of the scores."""
        return [PartFolder.open(place.folder) for place in self.job.scores]

    @cached_property
    def snapshot(self) -> Snapshot:
        """Return the corpus. Raise InputError if it is not the one that was scored."""
        found = Snapshot.open(self.job.snapshot)
        self.folders[0].plan.require(found)
        return found

    def parts(self) -> list[Part]:
        """Return the parts of the first scores, which are those of the mixture."""
        return self.folders[0].plan.parts()

    def block(self, part: Part) -> Block:
        """Return the documents of a part that have every score, are in scope and are not excluded."""
        rule = self.job.request.topic
        by_rubric = rule == P_KEEP or rule.startswith(f"{P_KEEP}:")
        sliced = self.is_sliced
        tables = [
            read_rows(folder, part.start, part.stop, [*READ, "slice"] if sliced else READ, place.rubric)
            for folder, place in zip(self.folders, self.job.scores, strict=True)
        ]
        first = tables[0]
        able = np.ones(len(first), bool)
        for table in tables:
            able &= (table["reason"].isna() & table["in_scope"]).to_numpy(bool)
        topic: NDArray[Any] = np.full(len(first), "", dtype=object)
        of_corpus = bool(rule) and not by_rubric and not sliced
        named = [*([rule] if of_corpus else []), *self.job.request.exclude]
        if named:
            columns = self._columns(part, named)
            for name in self.job.request.exclude:
                able &= ~columns[name].map(bool).to_numpy(bool)
            if of_corpus:
                topic = topics_of(columns[rule])
        if sliced:
            topic = topics_of(first["slice"])
        if by_rubric:
            topic = self._best_rubric(part, rule.partition(":")[2])
        quality = joined(
            self.state.scores,
            self.job.request.join,
            self.state.weights,
            [table["score"].to_numpy(float)[able] for table in tables],
        )
        return Block(
            row=np.arange(part.start, part.stop)[able],
            id=first["id"].to_numpy(object)[able],
            quality=quality,
            place=Bins(self.state.low, self.state.high).of(quality),
            topic=topic[able],
            tokens=first["budget_tokens"].to_numpy(np.int64)[able],
        )

    @property
    def is_sliced(self) -> bool:
        """Return True if the first scores were sliced by the topic's column, so that the corpus is not read for it."""
        rule = self.job.request.topic
        return bool(rule) and self.folders[0].plan.config.slice_by == rule

    def _columns(self, part: Part, names: list[str]) -> pd.DataFrame:
        if lacking := [name for name in names if name not in self.snapshot.manifest.schema]:
            raise InputError(
                f"no column {lacking[0]!r}",
                where=self.snapshot.url,
                fix=f"Name one of: {', '.join(self.snapshot.manifest.schema)}",
            )
        found: dict[str, list[Any]] = {name: [] for name in names}
        for _, batch in self.snapshot.rows(part.start, part.stop, list(found)):
            for name, values in found.items():
                values += batch[name].to_pylist()
        return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in found.items()})

    def _best_rubric(self, part: Part, named: str) -> NDArray[np.object_]:
        """Return for each row the rubric with the highest p_keep; of equal ones the first."""
        known = self.job.rubrics
        rubrics = [name.strip() for name in named.split(",") if name.strip()] or list(known)
        if not known or (unknown := [name for name in rubrics if name not in known]):
            raise InputError(
                f"the first scores have no rubric {unknown[0]!r}" if known else "scores of a column have no rubrics",
                where="topic",
                fix=f"Name rubrics of: {', '.join(known)}" if known else "Name a column",
            )
        columns = [P_KEEP if name == known[0] else f"{name}_{P_KEEP}" for name in rubrics]
        table = read_rows(self.folders[0], part.start, part.stop, columns)
        values = table[columns].to_numpy(float)
        return np.array(rubrics, object)[np.nan_to_num(values, nan=-1.0).argmax(axis=1)]
