"""Tables of labelled documents and of rejected rows. Neither contains the texts."""

import pandera.pandas as pa
from pandera.typing import Series


class LabelledDocument(pa.DataFrameModel):
    """One row a distinct document. Its text is in row `row` of the snapshot."""

    id: Series[str] = pa.Field(unique=True)
    row: Series[int] = pa.Field(ge=0, unique=True)
    label: Series[float] = pa.Field()
    weight: Series[float] = pa.Field(gt=0, description="weight of the label in training; 1 if none is given")
    group: Series[str] = pa.Field(nullable=True)
    copies: Series[int] = pa.Field(ge=1, description="rows of the source with this same text")

    class Config:
        strict = True
        coerce = True


class Quarantined(pa.DataFrameModel):
    """One row of the source that cannot be used, with the reason."""

    row: Series[int] = pa.Field(ge=0)
    id: Series[str] = pa.Field(nullable=True)
    reason: Series[str] = pa.Field()
    value: Series[str] = pa.Field(description="value that was found, at most 80 characters")

    class Config:
        strict = True
        coerce = True
