"""Types of the tables that tasks pass on, which key caches by their content. Importing them imports torch."""

import hashlib
from typing import Annotated

import pandas as pd
from flytekit import HashMethod
from pandera.typing import DataFrame

from assay.labels import LabelledDocument, Quarantined, SplitAssignment
from assay.metrics import BaselinePredictions, Predictions
from assay.training import Curve


def table_digest(table: pd.DataFrame) -> str:
    """Return the sha256 over the values and the names of the columns, in their order, 64 hex digits."""
    hashes = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return hashlib.sha256(hashes.tobytes() + repr(list(table.columns)).encode()).hexdigest()


# Without a HashMethod the cache key of a table is its URI, which is random.
Documents = Annotated[DataFrame[LabelledDocument], HashMethod(table_digest)]
Quarantine = Annotated[DataFrame[Quarantined], HashMethod(table_digest)]
Assignment = Annotated[DataFrame[SplitAssignment], HashMethod(table_digest)]
BaselineTable = Annotated[DataFrame[BaselinePredictions], HashMethod(table_digest)]
CurveTable = Annotated[DataFrame[Curve], HashMethod(table_digest)]
PredictionTable = Annotated[DataFrame[Predictions], HashMethod(table_digest)]
