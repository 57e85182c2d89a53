"""The request of a training run: the one definition behind `assay train`, its file, and the workflows that train."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.errors import InputError
from assay.evaluation import of_other_seeds, require_metric
from assay.gates import GATE_LIMIT, GateLimits
from assay.labels import read_labels
from assay.model import AS_LABELLED, KeepTarget, require_own_scores
from assay.options import Base, group, written
from assay.rubric import Rubric, builtin_rubrics, load_rubric, rubric_from_labels
from assay.sources import Columns, Period
from assay.storage import Snapshot
from assay.training import RECIPES, TrainConfig, recipe


@dataclass(frozen=True)
class Labels:
    """A labelled source, and the rubric that its labels follow."""

    source: str
    rubric: str = ""
    """Built-in name or Markdown file; empty: the labels' own scale."""
    threshold: float | None = None
    """Label from which a document is kept; None: the rubric's own."""
    name: str = ""
    """Name of the labels' own scale, if there is no rubric."""

    @classmethod
    def parse(cls, given: str) -> "Labels":
        """Read `RUBRIC[:THRESHOLD]=SOURCE`.

        A bare name that is no built-in rubric and no file names the labels' own scale. Raise InputError for anything
        else.
        """
        left, equals, source = given.partition("=")
        rubric, colon, number = left.partition(":")
        if not (rubric and equals and source):
            raise InputError(
                f"{given!r} names no rubric and source", fix="Give RUBRIC=SOURCE or RUBRIC:THRESHOLD=SOURCE"
            )
        try:
            threshold = float(number) if colon else None
        except ValueError as error:
            raise InputError(f"threshold {number!r} is no number", where=given, fix="Give RUBRIC:3=SOURCE") from error
        if rubric in builtin_rubrics() or Path(rubric).is_file() or not re.fullmatch(r"[A-Za-z0-9_-]+", rubric):
            return cls(source, rubric, threshold)
        return cls(source, "", threshold, name=rubric)

    def __str__(self) -> str:
        threshold = "" if self.threshold is None else f":{self.threshold:g}"
        return f"{self.rubric or self.name}{threshold}={self.source}"

    def given(self) -> Rubric | None:
        """Return the rubric, or None if it is read off the labels. Raise InputError if it cannot be used."""
        if not self.rubric:
            return None
        rubric = load_rubric(self.rubric, self.threshold)
        require_metric(rubric)
        return rubric

    def read_off(self, snapshot: Snapshot) -> Rubric:
        """Return the scale of the labels in a snapshot. Raise InputError if they give none."""
        rubric = rubric_from_labels(read_labels(snapshot), self.threshold, where=snapshot.sources)
        return replace(rubric, name=self.name or rubric.name)


def read_further(given: list[str]) -> tuple[Labels, ...]:
    """Read labelled sources, each `RUBRIC[:THRESHOLD]=SOURCE`. Raise InputError as `Labels.parse`."""
    return tuple(Labels.parse(entry) for entry in given)


@dataclass(frozen=True)
class TrainingRequest:
    """Everything that decides the result of a training run. The places of the run and of its result are not in it."""

    source: str
    """Labelled documents: Parquet, JSONL or CSV as file, folder or URL, or hf://datasets/OWNER/NAME@REVISION."""
    columns: Columns = field(default=Columns(label="label"), metadata=group(title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    rubric: str = ""
    """Built-in name or Markdown file of the rubric; without one, the scale that the labels span."""
    threshold: float | None = None
    """Label from which a document is kept; without one, the rubric's."""
    also: tuple[Labels, ...] = field(
        default=(), metadata=written(read_further, many=True, metavar="RUBRIC[:THRESHOLD]=SOURCE")
    )
    """Labels by a further rubric, which the same network learns and scores by; may be given several times. RUBRIC is
    a built-in name, a Markdown file, or any other bare name for the labels' own scale. THRESHOLD is the label from
    which a document is kept. The columns have the same names as in the main source."""
    config: TrainConfig = field(
        default_factory=TrainConfig,
        metadata=group(
            title="training settings",
            base=Base(
                "recipe",
                "default",
                recipe,
                f"Named training settings, which the options below change: {', '.join(sorted(RECIPES))}.",
            ),
        ),
    )
    keep: KeepTarget = field(default=AS_LABELLED, metadata=written(KeepTarget.parse, metavar="TARGET"))
    """Target of the cut between kept and dropped documents: labels (as many as reach the threshold), f1, share=0.1,
    precision=0.8 or recall=0.9 (with 95 % confidence on documents like the labelled ones, with as many good ones among
    them; with ~ for =, as measured, the only form with folds)."""
    seeds: int = 1
    """Number of models that differ in the seed alone, to report how much it matters; the first one is the result."""
    slice_by: tuple[str, ...] = ()
    """Column whose values the report shows separately; may be given several times."""
    rater_columns: tuple[str, ...] = ()
    """Column of single ratings that the label was made of, to report how far they agree; may be given several times."""
    gates: GateLimits = field(
        default_factory=GateLimits,
        metadata=GATE_LIMIT,
    )
    """Limit from which a gate refuses the model, such as shortcuts.excess=0.3; may be given several times."""
    max_quarantined: float = 0.05
    """Share of unusable rows from which the run fails."""
    ledger: str = ""
    """Folder or URL that remembers each document's side of the split."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_quarantined <= 1:
            raise InputError(f"max_quarantined is {self.max_quarantined:g}", fix="Give 0 to 1")
        if self.also and self.config.folds:
            raise InputError("cross-fitting supports one rubric only", where="folds, also", fix="Leave one of them out")
        require_own_scores(self.keep, other_models=self.config.folds > 0 or self.config.refit is True)
        of_other_seeds(self.config, self.seeds)  # refuses a count below 1

    @property
    def training(self) -> TrainConfig:
        """The training settings. Where the target is promised, what is measured is what ships, unless asked."""
        unasked = self.keep.binding and self.config.refit is None
        return replace(self.config, refit=False) if unasked else self.config

    @property
    def labels(self) -> list[Labels]:
        """The labelled sources of all rubrics, the main rubric's first."""
        return [Labels(self.source, self.rubric, self.threshold), *self.also]
