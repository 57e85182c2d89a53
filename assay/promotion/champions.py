"""The scores of earlier champions on test documents, so that a run of "not worse" cannot lead downwards.

<registry>/test_scores/<digest of the set>-<digest of the champion>.parquet    its predictions, one row a document
"""

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.metrics import METRICS, Outcomes, measure
from assay.rubric import Rubric
from assay.storage import create, join, list_names, open_parquet, parquet_bytes, read_bytes, read_columns

COLUMNS = ["document", "score", "calibrated", "p_keep", "grade", "keep"]
LEAST_SHARED = 0.5
"""Share of the documents that an earlier champion must have scored, to be compared with."""


@dataclass(frozen=True)
class Earlier:
    """An earlier champion on the documents of today."""

    digest: str
    predictions: pd.DataFrame
    """Predictions of the documents that it has scored, with today's labels and clusters."""


@dataclass(frozen=True)
class ChampionScores:
    """The scores of all champions that were challenged on test documents, in a registry."""

    url: str
    """Folder or URL of the registry."""

    @property
    def place(self) -> str:
        """Folder or URL of the files."""
        return join(self.url, "test_scores")

    def keep(self, test_set: str, champion: str, predictions: pd.DataFrame, documents: Mapping[str, str]) -> None:
        """Write the predictions of a champion, unless they are there. `documents`: id -> digest of the text."""
        table = predictions.assign(document=predictions["id"].map(dict(documents)))[COLUMNS]
        with suppress(FileExistsError):
            data = parquet_bytes(pa.Table.from_pandas(table, preserve_index=False))
            create(join(self.place, f"{test_set[:32]}-{champion[:32]}.parquet"), data)

    def best(
        self, predictions: pd.DataFrame, documents: Mapping[str, str], rubric: Rubric, *, but: tuple[str, ...]
    ) -> Earlier | None:
        """Return the earlier champion with the best primary metric, of those that scored at least half of these.

        `predictions`: today's Predictions, for labels and clusters. `but`: digests of models that are not meant. Raise
        InputError if a file is damaged.
        """
        today = predictions.assign(document=predictions["id"].map(dict(documents)))
        today = today[["id", "cluster", "label", "document"]]
        found: list[tuple[float, Earlier]] = []
        for name in list_names(self.place):
            champion = name.removesuffix(".parquet").rpartition("-")[2]
            if any(digest.startswith(champion) for digest in but if digest):
                continue
            table = today.merge(self._read(name), on="document", validate="one_to_one").drop(columns="document")
            if len(table) < LEAST_SHARED * len(today):
                continue
            value = measure(Outcomes.of(table, rubric), names=[rubric.primary_metric])[rubric.primary_metric]
            sign = 1 if METRICS[rubric.primary_metric].higher_is_better else -1
            found.append((sign * value, Earlier(champion, table)))
        return max(found, key=lambda one: one[0])[1] if found else None

    def _read(self, name: str) -> pd.DataFrame:
        where = join(self.place, name)
        try:
            return read_columns(open_parquet(io.BytesIO(read_bytes(where))), COLUMNS).to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"the scores of an earlier champion cannot be read: {error}", where=where) from error
