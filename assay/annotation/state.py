"""What a labelling in rounds knows between its steps, as a folder."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.metrics import INCLUSION, Interval
from assay.report import Block, Figure, Prose, Table, chart_lines
from assay.storage import only_known_fields, parse_json, read_parquet, staged_folder, write_parquet

MEASURED, TRAIN = "measured", "train"
"""Parts of the chosen documents."""
ABOUT = "loop.json"


@only_known_fields
@dataclass(frozen=True)
class Point:
    """A round, on the sample that measures."""

    documents: int
    """Training documents with a valid answer."""
    calls: int
    """Answers so far, also those that are not valid."""
    spearman: Interval
    """Of the corpus, by the weights of the sample."""
    gain: Interval | None = None
    """Gain of Spearman by twice the labels, by a line through the last three points; None before the third. The
    interval covers the sample, and not which documents were drawn to train on."""

    def sentence(self) -> str:
        """Return the round for people."""
        told = f"{self.documents:,} labels, {self.calls:,} calls: Spearman {self.spearman.in_words()}"
        if self.gain is None or self.gain.value is None:
            return told
        known = self.gain.low is not None and self.gain.high is not None
        ends = f" ({self.gain.low:+.3f} to {self.gain.high:+.3f})" if known else ""
        return f"{told}; twice the labels would give {self.gain.value:+.3f}{ends}"


@only_known_fields
@dataclass(frozen=True)
class _About:
    points: list[Point] = field(default_factory=list)
    stopped: str = ""


@dataclass(frozen=True)
class LoopState:
    """The chosen documents, the answers, and the rounds so far."""

    chosen: pd.DataFrame
    """`id`, `part`, `round` and `inclusion`, one row a document. `inclusion` of a training document is its probability
    among those that were left in its round."""
    answers: pd.DataFrame
    """`id`, `judge`, `repeat` and `grade`."""
    scores: pd.DataFrame
    """Scores of the sample by the model of each round; columns are its numbers of documents."""
    points: list[Point]
    stopped: str = ""
    """Why the loop ended; empty while it goes on."""

    def write(self, folder: Path) -> None:
        """Write the state into a new folder."""
        with staged_folder(folder) as partial:
            scores = self.scores.reset_index(names="id") if len(self.scores) else pd.DataFrame({"id": []}, dtype=str)
            answers = self.answers.astype({"id": str, "judge": str, "repeat": int, "grade": float})
            for name, table in (("chosen", self.chosen), ("answers", answers), ("scores", scores)):
                write_parquet(pa.Table.from_pandas(table, preserve_index=False), partial / f"{name}.parquet")
            about = asdict(_About(self.points, self.stopped))
            (partial / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "LoopState":
        """Read what `write` wrote. Raise InputError if the folder holds no state, or a damaged one."""
        where, fix = str(folder), "Begin the labelling again"
        if not (folder / ABOUT).is_file():
            raise InputError("no labelling in this folder", where=where, fix=fix)
        about = parse_json(_About, (folder / ABOUT).read_bytes(), what=ABOUT, where=where, fix=fix)
        try:
            tables = {
                name: read_parquet(str(folder / f"{name}.parquet")).to_pandas()
                for name in ("chosen", "answers", "scores")
            }
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"it cannot be read: {error}", where=where, fix=fix) from error
        scores = tables["scores"].set_index("id").rename_axis(None)
        return cls(tables["chosen"], tables["answers"], scores, about.points, about.stopped)

    def labelled(self, labels: pd.DataFrame, part: str) -> pd.DataFrame:
        """Return the labels of a part, from the table of `combine`: with `inclusion` for the sample alone.

        The probabilities of training documents hold within a round, and weigh no estimate over all rounds.
        """
        kept = self.chosen[self.chosen["part"] == part]
        columns = ["id", INCLUSION] if part == MEASURED else ["id", "round"]
        return kept[columns].merge(labels, on="id", how="inner").reset_index(drop=True)


def loop_blocks(state: LoopState) -> list[Block]:
    """Return the rounds as a sentence, a table and a chart."""
    rows = [
        {
            "labels": point.documents,
            "calls": point.calls,
            "Spearman": point.spearman.in_words(),
            "by twice the labels": "" if point.gain is None or point.gain.value is None else f"{point.gain.value:+.3f}",
        }
        for point in state.points
    ]
    blocks: list[Block] = [
        Prose(state.stopped or "The labelling goes on."),
        Table(
            pd.DataFrame(rows),
            "Each round on one sample of the corpus, weighted by the probabilities with which it was drawn. In "
            "brackets: 95 % intervals over its documents.",
        ),
    ]
    if len(state.points) > 1:
        line = ([float(p.documents) for p in state.points], [float(p.spearman.value or 0) for p in state.points])
        chart = chart_lines({"Spearman": line}, x="labels", y="Spearman", name="rounds of labelling")
        blocks.append(Figure(chart, "Each point is one round."))
    return blocks
