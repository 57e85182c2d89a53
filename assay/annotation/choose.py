"""Choose the documents of a corpus to label, and write them with the probabilities with which they were drawn."""

import hashlib
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.annotation.distance import distance_from
from assay.annotation.draw import DrawConfig, draw_documents
from assay.dedup import text_digest
from assay.errors import InputError
from assay.inference import Scorer
from assay.language import CERTAIN, identify_language
from assay.metrics import INCLUSION
from assay.options import group
from assay.progress import say, stage
from assay.sources import Columns, Period, acquire, open_source
from assay.storage import Snapshot, staged_file, write_parquet

MOST_COMPARED = 5_000
"""Labelled documents that the distance is measured from, drawn at random if there are more."""


@dataclass(frozen=True)
class DrawRequest:
    """Which documents of a corpus are labelled next."""

    source: str
    """Corpus: snapshot, Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/OWNER/NAME."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    source_column: str = ""
    """Column that names where a document comes from, such as a crawl or a site. Its values make strata."""
    labelled: str = ""
    """Documents that are labelled already. They are not drawn again, and others are drawn as they differ from them."""
    model: str = ""
    """Version or alias of the registry, or a model folder, whose scores guide the draw. Empty: strata alone."""
    rubric: str = ""
    """Rubric of the model, if it has several. Empty: its main one."""
    candidates: int = 20_000
    """Documents among which the draw chooses, a random sample of the corpus. Only their texts are read and scored."""
    draw: DrawConfig = field(default=DrawConfig(), metadata=group(title="the draw"))

    def __post_init__(self) -> None:
        if self.candidates < self.draw.documents:
            raise InputError(
                f"{self.candidates} candidates for {self.draw.documents} documents",
                where="draw",
                fix="Give more candidates than documents",
            )


def choose_documents(request: DrawRequest, snapshot: Snapshot, output: Path, model: Path | None = None) -> pd.DataFrame:
    """Write the documents to label as a new Parquet file, and return its table.

    `snapshot`: the corpus. Columns: those of the corpus, and `inclusion`, `stratum`, and `score`, `p_keep` and
    `distance` as far as they are known. `inclusion` is the probability among the documents that are not labelled yet.
    Raise InputError if the output exists, if all documents are labelled, and for a model or column that is missing.
    """
    if output.exists():
        raise InputError("the output exists already", where=str(output), fix="Remove it, or name another")
    if request.source_column and request.source_column not in snapshot.manifest.schema:
        names = ", ".join(sorted(snapshot.manifest.schema))
        raise InputError(f"no column {request.source_column!r}", where=snapshot.sources, fix=f"Name one of: {names}")
    with stage("Draw"):
        labelled = _labelled(request)
        table, share = _candidates(snapshot, set(labelled["id"]), request)
        known = {text_digest(text) for text in labelled["text"]}
        table = table[[text_digest(text) not in known for text in table["text"]]].reset_index(drop=True)
        if table.empty:
            raise InputError("all documents are labelled", where=snapshot.sources, fix="Give a larger corpus")
        table["length"] = table["text"].str.len()
        table["language"] = [_language(text) for text in table["text"]]
        if model is not None:
            scored = Scorer.load(model, rubric=request.rubric).score(table["text"].tolist(), progress="scoring")
            for name in ("score", "p_keep"):
                if name in scored:
                    table[name] = scored[name].to_numpy()
        if len(labelled) and request.draw.new:
            compared = labelled.sample(min(len(labelled), MOST_COMPARED), random_state=request.draw.seed)
            table["distance"] = distance_from(table["text"].tolist(), compared["text"].tolist())
        drawn = draw_documents(table, request.draw)
        drawn[INCLUSION] *= share
        for name in snapshot.manifest.schema:
            if name not in drawn:
                drawn[name] = snapshot.take(drawn["row"], name)
        drawn = drawn.drop(columns="row")
        with staged_file(output) as partial:
            write_parquet(pa.Table.from_pandas(drawn, preserve_index=False), partial)
        say(f"{len(drawn):,} of {len(table):,} candidates, in {drawn['stratum'].nunique():,} strata")
    return drawn


def _labelled(request: DrawRequest) -> pd.DataFrame:
    """Return `id` and `text` of the labelled documents."""
    if not request.labelled:
        return pd.DataFrame({"id": [], "text": []}, dtype=str)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        snapshot = acquire(open_source(request.labelled), request.columns, Path(scratch) / "labelled")
        return pd.concat([batch.to_pandas() for batch in snapshot.batches(["id", "text"])], ignore_index=True)


def _candidates(snapshot: Snapshot, labelled: Collection[str], request: DrawRequest) -> tuple[pd.DataFrame, float]:
    """Return the candidates with their texts, and the share of the unlabelled documents that they are.

    The first phase of a draw in two (Särndal, Swensson and Wretman, "Model Assisted Survey Sampling", 1992, 9.2):
    probabilities of both are multiplied. The smallest hashes are a simple random sample.
    """
    keys, rows = [], []
    first = 0
    for batch in snapshot.batches(["id"]):
        for place, name in enumerate(batch["id"].to_pylist()):
            if name not in labelled:
                keys.append(_key(name, request.draw.seed))
                rows.append(first + place)
        first += batch.num_rows
    if not rows:
        raise InputError("all documents are labelled", where=snapshot.sources, fix="Give a larger corpus")
    count = min(request.candidates, len(rows))
    chosen = np.sort(np.array(rows)[np.argsort(np.array(keys, np.uint64), kind="stable")[:count]])
    table = pd.DataFrame({"id": snapshot.take(chosen, "id"), "row": chosen, "text": snapshot.take(chosen)})
    if request.source_column:
        table["source"] = snapshot.take(chosen, request.source_column)
    return table, count / len(rows)


def _key(name: str, seed: int) -> int:
    digest = hashlib.sha256(f"draw {seed} {name}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def _language(text: str) -> str:
    found = identify_language(text, quick=True)
    # A short text would otherwise be a stratum of some rare language.
    return found.code if found.probability >= CERTAIN else "not certain"
