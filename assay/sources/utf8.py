"""Text that every later stage can encode: what is no Unicode becomes U+FFFD, so that the damage stays visible."""

import re

import pyarrow as pa

_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this Arrow type holds text, however it is laid out."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_surrogates(text: str) -> str:
    """A str whose lone surrogates (legal in JSON and in Python, impossible in UTF-8) are each U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def valid_utf8(column: pa.Array) -> pa.Array:
    """A text column with U+FFFD for each invalid sequence (Unicode standard, section 3.9, maximal subparts).

    Arrow trusts what a Parquet file says is text, and not every writer checks it. A valid column, and one of any
    other type, comes back as it is: the check reads 2 GB/s and decodes nothing.
    """
    if not is_text(column.type):
        return column
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        cells = plain.cast(pa.large_binary()).to_pylist()
        return pa.array([None if cell is None else cell.decode("utf-8", "replace") for cell in cells], plain.type)
    return column
