"""A labelling in rounds, from a source to labelled tables: its request, its documents, its model, its results."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.annotation.agreed import trust_sections
from assay.annotation.ask import ask
from assay.annotation.collect import collect
from assay.annotation.draw import DrawConfig
from assay.annotation.judge import Judge, read_judges
from assay.annotation.loop import Fit, LoopConfig
from assay.annotation.pace import Pace
from assay.annotation.raters import COLUMNS, combine_answers
from assay.annotation.request import AnnotationRequest
from assay.annotation.run import job_of
from assay.annotation.state import MEASURED, TRAIN, LoopState, loop_blocks
from assay.annotation.survey import survey
from assay.dedup import near_duplicate_clusters
from assay.errors import InputError
from assay.inference import WORDS, Scorer
from assay.language import identify_language
from assay.model import ModelInfo
from assay.options import group, written
from assay.report import Report, Section, write_html
from assay.rubric import Rubric
from assay.sources import Columns, acquire, open_source
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
    judges: tuple[Judge, ...] = field(
        default=(),
        metadata=written(read_judges, many=True, name="judge", metavar="'MODEL[@URL] [SETTING=VALUE …]'"),
    )
    """Judge, as of `assay annotate`; may be given several times. Each answers once about each document. Labels that are
    known already (column:NAME) show what fewer of them would have done."""
    rubric: str = "education"
    """Built-in name or Markdown file of the rubric."""
    candidates: int = 20_000
    """Documents of the source that take part at most. They are in memory."""
    loop: LoopConfig = field(
        default=LoopConfig(),
        metadata=group("measured", "first", "growth", "rounds", "calls", "least_gain", title="rounds"),
    )
    draw: DrawConfig = field(default=DrawConfig(), metadata=group(*AIMS, title="the draw"))
    budget: float | None = None
    """Money that all answers may cost, in the currency of the prices; answers of earlier runs count."""
    pace: Pace = field(default_factory=Pace, metadata=group(title="pace of the questions"))
    """How fast judges are asked. It changes no answer."""

    @property
    def config(self) -> LoopConfig:
        """The rounds with what their draws aim at, and one answer of each judge."""
        return replace(self.loop, draw=self.draw, answers_each=max(1, len(self.judges)))

    def annotation(self, source: str) -> AnnotationRequest:
        """Return the request that asks the judges about documents. They are shown what a model of words reads."""
        return AnnotationRequest(
            source,
            rubric=self.rubric,
            judges=self.judges,
            encoder=WORDS,
            windows=recipe("lexical").windows,
            budget=self.budget,
            pace=self.pace,
        )


def read_documents(snapshot: Snapshot, request: RoundsRequest) -> pd.DataFrame:
    """Return the documents that take part: `id`, `text`, `length`, `language`, `cluster`, and the judges' columns.

    A random sample if the source has more than `candidates`. Raise InputError without a judge, and for a missing
    column.
    """
    if not request.judges:
        raise InputError("no judge", where="labelling", fix="Give a judge: MODEL@URL, column:NAME or shipped")
    columns = list(dict.fromkeys(["id", "text", *(judge.column for judge in request.judges if judge.column)]))
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


def ask_judges(documents: pd.DataFrame, request: RoundsRequest, asked: pd.DataFrame, store: str) -> pd.DataFrame:
    """Return the answers of the judges to the documents `asked`, with one row a document and judge.

    `store`: path or URL of the store of answers: what it has is not asked again. Raise InputError if a judge cannot
    answer at all; answers so far are kept.
    """
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        file = Path(scratch) / "asked.parquet"
        chosen = documents[documents["id"].isin(asked["id"])]
        write_parquet(pa.Table.from_pandas(chosen, preserve_index=False), file)
        snapshot = acquire(open_source(str(file)), Columns(id="id"), Path(scratch) / "snapshot")
        annotation = request.annotation(str(file))
        job, reader = job_of(annotation, snapshot, store), annotation.reader()
        table = survey(snapshot, reader)
        answers = collect(job, table, ask(job, table, reader, annotation.limits).failed)[list(COLUMNS)]
    # A document without text is in no answer, and was asked about all the same.
    silent = sorted(set(asked["id"]) - set(answers["id"]))
    missing = pd.DataFrame({"id": silent, "judge": request.judges[0].name, "repeat": 0, "grade": float("nan")})
    return pd.concat([answers, missing], ignore_index=True) if silent else answers


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
    sections = [Section("Rounds", loop_blocks(state)), *trust_sections(state.answers, rubric.low, rubric.high)]
    labels = len(combine_answers(state.answers, rubric.low, rubric.high).table)
    return Report("Labelling in rounds", f"{labels:,} labels by the rubric {rubric.name}", sections)
