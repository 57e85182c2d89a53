"""Make text that every later stage can encode. Invalid Unicode becomes U+FFFD, so that the damage stays visible."""

import re

import pyarrow as pa

_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(kind: pa.DataType) -> bool:
    """Return True if a column of this Arrow type holds text in any layout."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_surrogates(text: str) -> str:
    """Replace each lone surrogate, which JSON and Python allow and UTF-8 does not, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def valid_utf8(column: pa.Array) -> pa.Array:
    """Replace each invalid sequence of a text column by U+FFFD (Unicode standard, section 3.9, maximal subparts).

    Arrow trusts the type in a Parquet file, and not every writer checks that its text is UTF-8. A valid column, and a
    column of another type, is returned unchanged: the check reads 2 GB/s and decodes nothing.
    """
    if not is_text(column.type):
        return column
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        # As text, `to_pylist` raises at the first invalid cell, so the bytes are decoded here.
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        cells = plain.cast(pa.large_binary()).to_pylist()
        return pa.array([None if cell is None else cell.decode("utf-8", "replace") for cell in cells], plain.type)
    return column
