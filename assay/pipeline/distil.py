"""Distil: a cheap model learns the scores that a full model gives to documents of the corpus itself."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from assay.errors import InputError
from assay.evaluation import Evaluation
from assay.gates import GATE_LIMIT, GateLimits
from assay.model import ModelInfo, Windows, calibrated_info
from assay.options import Base, group
from assay.pipeline.request import TrainingRequest
from assay.pipeline.run import train_and_evaluate
from assay.progress import say
from assay.scoring import SAMPLE_PART, Scores, ScoringConfig, draw, sample_snapshot, score_snapshot, scores_of_all
from assay.sources import Columns, Period, open_corpus
from assay.storage import Snapshot, digest_folder, digest_json, staged_folder, write_parquet
from assay.training import RECIPES, TrainConfig, recipe

LEAST_DOCUMENTS = 200
"""Scores from which a model is made. Fewer give a model that nobody would let reject anything."""


@dataclass(frozen=True)
class DistilRequest:
    """Everything that decides the result of a distillation."""

    source: str
    """Corpus from which documents are drawn: a snapshot, Parquet, JSONL, CSV or WET as file, folder or URL,
    hf://datasets/OWNER/NAME@REVISION, or installed-docs[:PACKAGE,…]."""
    model: str = "champion"
    """Full model that teaches: version or alias of the registry, or a model folder."""
    documents: int = 20_000
    """Documents of the corpus that the full model scores, drawn at random."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    scoring: ScoringConfig = field(default_factory=ScoringConfig, metadata=group("limits", title="scoring"))
    config: TrainConfig = field(
        default_factory=lambda: recipe("lexical"),
        metadata=group(
            title="training settings",
            base=Base(
                "recipe",
                "lexical",
                recipe,
                "Named training settings, which the options below change. `lexical` reads as many words as the full "
                f"model tokens: {', '.join(sorted(RECIPES))}.",
            ),
        ),
    )
    gates: GateLimits = field(default_factory=GateLimits, metadata=GATE_LIMIT)
    """Limit from which a gate refuses the model, such as shortcuts.excess=0.3; may be given several times."""

    def __post_init__(self) -> None:
        if self.documents < LEAST_DOCUMENTS:
            raise InputError(f"{self.documents} documents to distil from", fix=f"Give at least {LEAST_DOCUMENTS}")


def distil(
    request: DistilRequest, teacher: Path, work: str, output: Path, *, processes: int | None = None
) -> dict[str, Evaluation]:
    """Train a model on the scores of a full one, and write it to the new folder `output`, as `train_and_evaluate` does.

    `teacher`: folder of the full model, which `request.model` names. `work`: folder or URL of the sample and its
    scores, from where a run that was killed resumes. `processes`: those that score it; by default as many as pay off.
    The label of a document is its score by the main rubric, limited to the scale; the threshold is the score from which
    the full model keeps. So the figures say how far the two models agree, not how good they are. Raise InputError as
    `score_corpus` and `train_and_evaluate` do, and if fewer than 200 documents have a score.
    """
    info = calibrated_info(teacher)
    if output.exists():
        raise InputError("the output exists already", where=str(output.absolute()), fix="Remove it, or name another")
    snapshot = open_corpus(request.source, request.columns, work, request.period)
    rows = draw(snapshot, request.documents, "distil")
    sample = sample_snapshot(snapshot, rows, work)
    if known := scores_of_all(work, snapshot.manifest.version, digest_folder(teacher)):
        say("the full model has scored this corpus before: its scores are used")
        table = _table(known).iloc[np.sort(rows)].reset_index(drop=True)
    else:
        settings = replace(request.scoring, rows_per_part=SAMPLE_PART)
        table = _table(
            score_snapshot(sample, teacher, work, settings, processes=processes, what="Score by the full model")
        )
    able = (table["reason"].isna() & table["in_scope"]).to_numpy()
    if able.sum() < LEAST_DOCUMENTS:
        raise InputError(
            f"{able.sum():,} of {len(table):,} documents that were drawn have a score and are in scope",
            where=snapshot.url,
            fix=f"Draw more of them; {LEAST_DOCUMENTS} are the least",
        )
    labels = _labels(sample, table, able, info, teacher, output)
    config = request.config
    if config == recipe("lexical"):
        # What the full model does not read tells nothing of its scores: of two students, the one that read twice as
        # many words as the full model tokens was the worse one (benchmarks/RESULTS.md).
        config = replace(config, windows=Windows(info.windows.tokens * info.windows.count))
    training = TrainingRequest(
        source=str(labels / "labels.parquet"),
        rubric=str(labels / "rubric.md"),
        config=config,
        gates=request.gates,
    )
    return train_and_evaluate(training, output)


def _table(scores: Scores) -> pd.DataFrame:
    return pd.concat([part for _, part in scores.rows(["id", "score", "reason", "in_scope"])], ignore_index=True)


def _labels(
    sample: Snapshot, table: pd.DataFrame, able: np.ndarray, info: ModelInfo, teacher: Path, output: Path
) -> Path:
    """Write the labelled documents and their rubric into a folder beside the output, once, and return the folder."""
    rubric, calibration = info.rubric, info.calibration
    if calibration is None or calibration.keep_cut is None:
        raise InputError("the full model keeps no document", where=str(teacher), fix="Choose another one")
    threshold = float(np.clip(calibration.keep_cut, np.nextafter(rubric.low, rubric.high), rubric.high))
    of = {"model": digest_folder(teacher)[:12], "sample": sample.manifest.version[:12]}
    folder = output.absolute().parent / f"scores-of-{of['model']}-{digest_json(of)[:8]}"
    if folder.exists():
        return folder
    head = {**{name: value for name, value in asdict(rubric).items() if name != "text"}, "threshold": threshold}
    texts = sample.take(np.flatnonzero(able))
    labels = table.loc[able, "score"].clip(rubric.low, rubric.high)
    with staged_folder(folder) as staged:
        rows = pd.DataFrame({"id": table.loc[able, "id"], "text": texts, "label": labels})
        write_parquet(pa.Table.from_pandas(rows, preserve_index=False), staged / "labels.parquet")
        markdown = f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n{rubric.text}\n"
        (staged / "rubric.md").write_text(markdown, encoding="utf-8")
    say(f"{able.sum():,} labels by the full model: {folder}")
    return folder
