"""The table of labelled documents: what is known of each, without its text."""

import pandera.pandas as pa
from pandera.typing import Series


class LabelledDocument(pa.DataFrameModel):
    """One row a distinct document; its text is row `row` of the snapshot it came from."""

    id: Series[str] = pa.Field(unique=True)
    row: Series[int] = pa.Field(ge=0, unique=True)
    label: Series[float] = pa.Field()
    weight: Series[float] = pa.Field(gt=0, description="of its label in training; 1 where none is given")
    group: Series[str] = pa.Field(nullable=True)
    copies: Series[int] = pa.Field(ge=1, description="rows of the source with this same text")

    class Config:
        strict = True
        coerce = True


class Quarantined(pa.DataFrameModel):
    """A row of the source that cannot be used, and why."""

    row: Series[int] = pa.Field(ge=0)
    id: Series[str] = pa.Field(nullable=True)
    reason: Series[str] = pa.Field()
    value: Series[str] = pa.Field(description="what was found, at most 80 characters")

    class Config:
        strict = True
        coerce = True
