"""Access by tokens. Comparing a token takes the same time however much of it is right."""

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
"""Values of WWW-Authenticate. A browser then prompts for a password: the token, under any user name."""


class Tokens:
    """The valid tokens: those of the settings, and those of a file that is read again when it changes."""

    def __init__(self, given: Iterable[str], file: Path | None = None) -> None:
        """Raise InputError if the file is missing, holds no token, or holds one that cannot be used."""
        # Digests have one length, so that comparing them does not reveal the length of a token.
        self._given = [_digest(token) for token in given]
        self._file = file
        self._of_file: list[bytes] = []
        self._read_state: object = None
        if file is not None:
            self._read_state = _state(file)
            self._of_file, wrong = _read(file)
            if wrong:
                raise wrong[0]
            if not self._of_file:
                raise InputError("the token file holds no token", where=str(file), fix="Write one token a line")

    @property
    def required(self) -> bool:
        """Return True if a request needs a token. A file that is emptied later admits nobody."""
        return bool(self._given) or self._file is not None

    def admit(self, authorization: str) -> bool:
        """Return True if an Authorization header carries a valid token, as Bearer or as the password of Basic."""
        self._refresh()
        offered = _digest(_offered(authorization))
        admitted = False
        # All tokens are compared, also after a match: the time does not reveal which one was right.
        for digest in (*self._given, *self._of_file):
            admitted |= hmac.compare_digest(digest, offered)
        return admitted

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            state = _state(self._file)
            if state == self._read_state:
                return
            self._of_file, wrong = _read(self._file)
            self._read_state = state
        except InputError as error:
            # Closed: a token that was revoked by removing the file, or by a mistake in it, must admit nobody. The
            # state is unknown now, so that the next request reads the file again. The error is logged once.
            if self._read_state is not None:
                LOG.error("no token of the file is valid: %s", error)
            self._of_file, self._read_state = [], None
            return
        for mistake in wrong:
            LOG.error("this line admits nobody: %s", mistake)
        LOG.info("tokens read again: %d", len(self._of_file))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _state(file: Path) -> object:
    """Return what changes when the file is written or replaced."""
    try:
        status = file.stat()
    except OSError as error:
        raise InputError(f"the token file cannot be read: {error.strerror}", where=str(file)) from None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(file: Path) -> tuple[list[bytes], list[InputError]]:
    """Return the digests of the tokens in the file, and the errors of the lines that hold none. Raise InputError if the
    file cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        # Only the type: the message of a UnicodeDecodeError may repeat a byte of a token.
        raise InputError(f"the token file cannot be read: {type(error).__name__}", where=str(file)) from None
    found, wrong = [], []
    for number, line in enumerate(lines, 1):
        if token := line.split("#")[0].strip():
            try:
                check_token(token, where=f"{file}, line {number}")
                found.append(_digest(token))
            except InputError as error:
                wrong.append(error)
    return found, wrong


def _offered(authorization: str) -> str:
    """Return the token in a header, or an empty text, which is never a valid token."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return ""
    return ""
