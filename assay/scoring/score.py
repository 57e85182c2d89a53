"""Score every document of a source into a sidecar keyed by document id."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
import pyarrow.parquet as pq
from pandera.typing import Series

from assay.corpus import Columns, Source, canonical
from assay.errors import InputError
from assay.inference import Scorer
from assay.progress import counter
from assay.storage import digest_folder, staged_folder

NAME = "scores.parquet"


class Sidecar(pa.DataFrameModel):
    """One row a document of the source, in its order. A document that cannot be scored says why, and has no score."""

    id: Series[str] = pa.Field()
    score: Series[float] = pa.Field(nullable=True)
    calibrated: Series[float] = pa.Field(nullable=True, description="expected label")
    p_keep: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    grade: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    keep: Series[pd.BooleanDtype] = pa.Field(nullable=True)
    tokens: Series[int] = pa.Field(ge=0, description="of the whole document, by the model's tokenizer")
    read: Series[float] = pa.Field(ge=0, le=1, description="share of the tokens that the model read")
    reason: Series[str] = pa.Field(nullable=True, description="why there is no score")

    class Config:
        strict = True
        coerce = True


SCHEMA = arrow.schema(
    {
        "id": arrow.string(),
        "score": arrow.float64(),
        "calibrated": arrow.float64(),
        "p_keep": arrow.float64(),
        "grade": arrow.int64(),
        "keep": arrow.bool_(),
        "tokens": arrow.int64(),
        "read": arrow.float64(),
        "reason": arrow.string(),
    }
)


def score_batch(scorer: Scorer, ids: list[str | None], texts: list[str | None]) -> pd.DataFrame:
    """Sidecar rows for one batch of documents."""
    scorable = [row for row, text in enumerate(texts) if text and text.strip()]
    scored = scorer.score([str(texts[row]) for row in scorable])
    scored.index = pd.Index(scorable)
    table = scored.reindex(range(len(texts)))
    table["tokens"] = table["tokens"].fillna(0)
    table["read"] = table["read"].fillna(0.0)
    table["reason"] = None
    table.loc[~table.index.isin(scorable), "reason"] = "no text"
    table.insert(0, "id", ids)
    return Sidecar.validate(table[SCHEMA.names])


def score_source(model: Path, source: Source, columns: Columns, output: Path) -> dict[str, Any]:
    """Write `scores.parquet` and `manifest.json` to the new folder `output`; returns the manifest.

    Memory holds one batch of documents. Raises InputError for a model that was never calibrated, a source that
    cannot be read, an output that exists; then nothing is left at `output`.
    """
    scorer = Scorer.load(model)
    if scorer.model.info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    counts = {"documents": 0, "unscored": 0, "kept": 0, "tokens": 0, "tokens_read": 0.0}
    with staged_folder(output) as folder:
        with (
            pq.ParquetWriter(folder / NAME, SCHEMA, compression="zstd") as writer,
            counter(unit=" documents") as shown,
        ):
            for batch in source.batches():
                rows = canonical(batch, columns, source.uri)
                table = score_batch(scorer, rows["id"].to_pylist(), rows["text"].to_pylist())
                writer.write_table(arrow.Table.from_pandas(table, schema=SCHEMA, preserve_index=False))
                counts["documents"] += len(table)
                counts["unscored"] += int(table["reason"].notna().sum())
                counts["kept"] += int(table["keep"].fillna(False).sum())
                counts["tokens"] += int(table["tokens"].sum())
                counts["tokens_read"] += float((table["tokens"] * table["read"]).sum())
                shown.update(len(table))
        if not counts["documents"]:
            raise InputError("there is no document in it", where=source.uri)
        manifest = {
            "source": {"uri": source.uri, "revision": source.revision},
            "model": digest_folder(model),
            "tokenizer": scorer.model.info.encoder,
            **counts,
            "tokens_read": round(counts["tokens_read"]),
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest
