"""A labelling in rounds, from a source to labelled tables: its request, its documents, its model, its results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.annotation.agreement import agreement_blocks, measure_agreement
from assay.annotation.draw import DrawConfig
from assay.annotation.loop import Fit, LoopConfig, columns_judge
from assay.annotation.raters import combine_answers
from assay.annotation.state import MEASURED, TRAIN, LoopState, loop_blocks
from assay.dedup import near_duplicate_clusters
from assay.errors import InputError
from assay.inference import Scorer
from assay.language import identify_language
from assay.model import ModelInfo
from assay.options import group
from assay.report import Prose, Report, Section, Table, write_html
from assay.rubric import Rubric
from assay.sources import Columns
from assay.storage import Snapshot, staged_folder, write_parquet
from assay.training import fit_lexical, recipe

AIMS = ("uniform", "strata", "rare", "unsure", "new", "seed")
"""Options of the draw that rounds leave open: they give its size."""


@dataclass(frozen=True)
class RoundsRequest:
    """A labelling in rounds."""

    source: str
    """Documents to choose from: snapshot, Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/OWNER/NAME."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    judge_columns: tuple[str, ...] = ()
    """Columns of the source that answer as a judge would, one judge a column. Labels that are known already show so
    what fewer of them would have done."""
    rubric: str = "education"
    """Built-in name or Markdown file of the rubric."""
    candidates: int = 20_000
    """Documents of the source that take part at most. They are in memory."""
    loop: LoopConfig = field(
        default=LoopConfig(),
        metadata=group("measured", "first", "growth", "rounds", "calls", "answers_each", "least_gain", title="rounds"),
    )
    draw: DrawConfig = field(default=DrawConfig(), metadata=group(*AIMS, title="the draw"))

    @property
    def config(self) -> LoopConfig:
        """The rounds with what their draws aim at."""
        fields = {name: getattr(self.loop, name) for name in self.loop.__dataclass_fields__ if name != "draw"}
        return LoopConfig(**fields, draw=self.draw)


def read_documents(snapshot: Snapshot, request: RoundsRequest) -> pd.DataFrame:
    """Return the documents that take part: `id`, `text`, `length`, `language`, `cluster`, and the judges' columns.

    A random sample if the source has more than `candidates`. Raise InputError without a judge, and for a missing
    column.
    """
    if not request.judge_columns:
        raise InputError("no judge", where="labelling", fix="Name columns of answers in judge_columns")
    columns = list(dict.fromkeys(["id", "text", *request.judge_columns]))
    if missing := [name for name in columns if name not in snapshot.manifest.schema]:
        names = ", ".join(sorted(snapshot.manifest.schema))
        raise InputError(f"no column {missing[0]!r}", where=snapshot.sources, fix=f"Name one of: {names}")
    ids = pd.Series([name for batch in snapshot.batches(["id"]) for name in batch["id"].to_pylist()], dtype=str)
    ids = ids.drop_duplicates()
    rows = ids.sample(min(len(ids), request.candidates), random_state=request.draw.seed).index.sort_values()
    table = pd.DataFrame({name: snapshot.take(rows, name) for name in columns})
    table["length"] = table["text"].str.len()
    table["language"] = [identify_language(text, quick=True).code for text in table["text"]]
    table["cluster"] = near_duplicate_clusters(table["text"].tolist(), progress=False)
    return table


def fit_words(rubric: Rubric, seed: int = 0) -> Fit:
    """Return a learner of words alone, by the recipe `lexical`: seconds, where an encoder takes minutes a round."""

    def fit(labelled: pd.DataFrame) -> Callable[[Sequence[str]], pd.DataFrame]:
        info = ModelInfo("", rubric, recipe("lexical").windows, kind="lexical")
        texts, labels = labelled["text"].tolist(), labelled["label"].to_numpy(float)
        model = fit_lexical(texts, labels, info, weights=labelled["weight"].to_numpy(float), seed=seed).model
        return Scorer(model).score

    return fit


def ask_columns(documents: pd.DataFrame, request: RoundsRequest, asked: pd.DataFrame) -> pd.DataFrame:
    """Return the answers of the judges' columns to the documents `asked`."""
    return columns_judge(documents, request.judge_columns)(asked)


def write_labels(state: LoopState, documents: pd.DataFrame, rubric: Rubric, output: Path) -> int:
    """Write the new folder `output`, and return the number of labels.

    `train.parquet` is for training (`--weight-column weight`), `measured.parquet` for `assay evaluate`, with
    `inclusion`; `answers.parquet` has every answer, and `report.html` the rounds and the judges.
    """
    found = combine_answers(state.answers, rubric.low, rubric.high)
    texts = documents[["id", "text"]]
    with staged_folder(output) as partial:
        for part in (TRAIN, MEASURED):
            table = texts.merge(state.labelled(found.table, part), on="id")
            write_parquet(pa.Table.from_pandas(table, preserve_index=False), partial / f"{part}.parquet")
        write_parquet(pa.Table.from_pandas(state.answers, preserve_index=False), partial / "answers.parquet")
        write_html(rounds_report(state, rubric), partial / "report.html")
    return len(found.table)


def rounds_report(state: LoopState, rubric: Rubric) -> Report:
    """Return the page of a labelling: the rounds, the judges, their agreement."""
    found = combine_answers(state.answers, rubric.low, rubric.high)
    rows = [
        {
            "judge": judge.judge,
            "answers": judge.answers,
            "off the labels": f"{judge.bias:+.2f}",
            "noise": f"{judge.noise:.2f}",
            "reliability of an answer": f"{judge.reliability:.2f}",
        }
        for judge in found.judges
    ]
    sections = [
        Section("Rounds", loop_blocks(state)),
        Section("Judges", [Table(pd.DataFrame(rows), "In grades: how far a judge is off, and how far it varies.")]),
    ]
    try:
        agreement = measure_agreement(state.answers, rubric.low, rubric.high)
        sections.append(Section("Agreement", agreement_blocks(agreement)))
    except InputError as error:
        sections.append(Section("Agreement", [Prose(f"It was not measured: {error}.")]))
    return Report("Labelling in rounds", f"{len(found.table):,} labels by the rubric {rubric.name}", sections)
