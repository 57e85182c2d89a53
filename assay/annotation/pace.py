"""How fast judges are asked, and how long a question is tried."""

from dataclasses import dataclass

from assay.errors import InputError


@dataclass(frozen=True)
class Pace:
    """How judges are asked. It changes no answer."""

    concurrency: int = 16
    """Number of questions that are open at once, for each judge."""
    timeout: float = 120.0
    """Seconds without a byte of the response, after which a call counts as lost and is tried again."""
    tries: int = 6
    """Calls of one question at most, if responses are lost or are errors of the server. Status 429 does not count."""

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1024:
            raise InputError(f"{self.concurrency} questions at once", where="concurrency", fix="Give 1 to 1024")
        if self.timeout <= 0 or self.tries < 1:
            raise InputError(f"{self.tries} tries of {self.timeout:g} seconds", fix="Give 1 try and a second or more")
