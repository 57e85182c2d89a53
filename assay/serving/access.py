"""Who may ask: tokens, compared in a time that tells nothing about them."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from assay.errors import InputError
from assay.serving.log import LOG
from assay.serving.settings import check_token

CHALLENGES = ('Basic realm="assay", charset="UTF-8"', 'Bearer realm="assay"')
"""Values of WWW-Authenticate: a browser asks for a password, which is the token, under any user name."""


class Tokens:
    """The tokens that open something: those given, and those of a file, which is read again when it changes."""

    def __init__(self, given: Iterable[str], file: Path | None = None) -> None:
        """Raises InputError for a file that is missing, holds no token or one that cannot be used."""
        self._given = [_digest(token) for token in given]
        self._file = file
        self._of_file: list[bytes] = []
        self._seen: object = None
        if file is not None:
            self._seen = _state(file)
            self._of_file = _read(file)
            if not self._of_file:
                raise InputError("the file of tokens holds none", where=str(file), fix="Write one a line")

    @property
    def required(self) -> bool:
        """Whether a token is asked for at all. A file that was emptied later opens to nobody."""
        return bool(self._given) or self._file is not None

    def admit(self, authorization: str) -> bool:
        """Whether the value of an Authorization header carries one of the tokens, as Bearer or as Basic password."""
        self._refresh()
        offered = _digest(_offered(authorization))
        admitted = False
        # Every token is compared, in full: the time does not tell which one was nearly right.
        for digest in (*self._given, *self._of_file):
            admitted |= hmac.compare_digest(digest, offered)
        return admitted

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            state = _state(self._file)
            if state == self._seen:
                return
            self._of_file, self._seen = _read(self._file), state
            LOG.info("tokens read again: %d", len(self._of_file))
        except InputError as error:
            # Those known stay valid: a file that is being replaced must not lock everybody out.
            if self._seen is not None:
                LOG.error("the tokens known before stay in use: %s", error)
            self._seen = None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _state(file: Path) -> object:
    try:
        status = file.stat()
    except OSError as error:
        raise InputError(f"the file of tokens cannot be read: {error.strerror}", where=str(file)) from None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path) -> list[bytes]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the file of tokens cannot be read: {type(error).__name__}", where=str(file)) from None
    tokens = [(number, line.split("#")[0].strip()) for number, line in enumerate(lines, 1)]
    tokens = [(number, token) for number, token in tokens if token]
    for number, token in tokens:
        check_token(token, where=f"{file}, line {number}")
    return [_digest(token) for _, token in tokens]


def _offered(authorization: str) -> str:
    """The token in a header; empty, which is no token, where there is none."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return ""
    return ""
