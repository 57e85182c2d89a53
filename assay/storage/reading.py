"""What a disk says of a file that somebody else owns, as a message."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import InputError


@contextmanager
def clear_permission_errors(place: str) -> Iterator[None]:
    """A file that is there and may not be read, as an InputError; all other errors as they are."""
    try:
        yield
    except PermissionError as error:
        raise InputError("this may not be read", where=place, fix="Have its owner allow it, or name another") from error
