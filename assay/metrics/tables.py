"""Schemas of the tables that an evaluation returns."""

import pandera.pandas as pa
from pandera.typing import Series


class Predictions(pa.DataFrameModel):
    """Predictions of one model on test documents, with their labels. Further columns name slices."""

    id: Series[str] = pa.Field(unique=True)
    cluster: Series[int] = pa.Field(description="number of the cluster; a resample draws whole clusters")
    label: Series[float] = pa.Field()
    score: Series[float] = pa.Field()
    calibrated: Series[float] = pa.Field(description="expected label")
    p_keep: Series[float] = pa.Field(ge=0, le=1)
    grade: Series[int] = pa.Field()
    keep: Series[bool] = pa.Field()

    class Config:
        coerce = True


class BaselinePredictions(pa.DataFrameModel):
    """Predictions of all baselines on the same test documents, concatenated."""

    baseline: Series[str] = pa.Field()
    id: Series[str] = pa.Field()
    cluster: Series[int] = pa.Field()
    label: Series[float] = pa.Field()
    score: Series[float] = pa.Field()
    calibrated: Series[float] = pa.Field()
    p_keep: Series[float] = pa.Field(ge=0, le=1)
    grade: Series[int] = pa.Field()
    keep: Series[bool] = pa.Field()

    class Config:
        strict = True
        coerce = True
        unique = ("baseline", "id")
