"""Errors of reading, as messages."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import InputError


@contextmanager
def clear_permission_errors(place: str) -> Iterator[None]:
    """Turn a PermissionError of the block into an InputError that names the place. Other errors pass unchanged."""
    try:
        yield
    except PermissionError as error:
        raise InputError("this may not be read", where=place, fix="Have its owner allow it, or name another") from error
