"""How a service is run: limits, access, batches. Read from the environment, since a Bento is the same everywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from assay.errors import InputError

PREFIX = "ASSAY_SERVE_"
PROCESS = {
    "BENTOML_DO_NOT_TRACK": "True",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "GOMP_SPINCOUNT": "3000",
}
"""Environment of every server process, in an image, too. Nothing calls home. Threads that wait for each other spin
for a moment, then sleep: never to spin costs a short document 3 ms, and to spin on lets one that takes 15 ms take 450
as soon as another process has one of the cores (30 like this)."""
SERVICE_LINK = re.compile(r"(SERVICE_(HOST|PORT).*|PORT(_.*)?)")
"""What Kubernetes puts into the environment of every pod where a Service happens to be called `assay-serve`."""
TOKEN = re.compile(r"[!-\"$-+\--~]{16,}")
"""It is sent in a header, listed between commas, and may have a comment behind it in a file."""


@dataclass(frozen=True)
class ServeSettings:
    """Each field is read from `ASSAY_SERVE_<FIELD IN CAPITALS>`; what is not set keeps its default."""

    documents: int = 256
    """Most documents of one request; more are answered 413."""
    characters: int = 5_000_000
    """Longest text that is taken at all; a longer one is answered 413. Shorter ones can still be too long to be scored
    as one document (`assay.inference.Limits`): these get the reason `too long`."""
    body_bytes: int = 8 * 2**20
    """Largest body; a larger one is answered 413 before it is read."""
    requests: int = 256
    """Requests that are worked on or wait at one time; the next one is answered 429."""
    waiting_bytes: int = 64 * 2**20
    """Bytes of bodies held at one time; what goes beyond is answered 429."""
    seconds: float = 60.0
    """Time for one request, from its first byte to its answer; over it the answer is 504."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Tokens that open everything but probes and metrics, separated by commas. None here and no file: open to all."""
    tokens_file: Path | None = None
    """File of more such tokens, one a line, `#` begins a comment; read again whenever it changes."""
    metrics: str = "token"
    """Who may read /metrics: `token`, `open` or `closed` (404). By default it asks for a token where the service does:
    volumes and scores on a port that others reach are nobody's business, and a scraper is given a token in one line."""
    metrics_tokens: tuple[str, ...] = field(default=(), repr=False)
    """Tokens that open /metrics and nothing else, separated by commas; without any, those of the service open it."""
    log: str = ""
    """Folder or URL of the score log (`assay.scorelog`), which `assay watch` reads; empty: none is kept. No text and no
    id is written. A place that is full or gone costs no request; the metric assay_log_rows counts what is lost."""
    log_share: float = 1.0
    """Share of the answers to /score that is logged, by chance."""
    log_rows: int = 10_000
    """Answers of one file, about."""
    log_seconds: float = 300.0
    """Most seconds an answer waits to be written; what waits is lost where the process is killed."""

    def __post_init__(self) -> None:
        for name in ("documents", "characters", "body_bytes", "requests", "waiting_bytes", "seconds"):
            if not 0 < getattr(self, name) < 2**40:
                raise InputError(f"{variable(name)} is {getattr(self, name)}", fix="Give a number above 0")
        if self.waiting_bytes < self.body_bytes:
            raise InputError(
                f"{variable('waiting_bytes')} is {self.waiting_bytes}, less than one body of {self.body_bytes}",
                fix=f"Raise it, or lower {variable('body_bytes')}",
            )
        if self.log and "://" not in self.log and not Path(self.log).is_absolute():
            # The process runs in a temporary folder of its own.
            raise InputError(f"{variable('log')} is {self.log!r}", fix="Give an absolute path, or a URL")
        for name, most in (("log_share", 1.0), ("log_rows", 1_000_000), ("log_seconds", 3_600.0)):
            if not 0 < getattr(self, name) <= most:
                raise InputError(
                    f"{variable(name)} is {getattr(self, name)}", fix=f"Give a number above 0, and at most {most:g}"
                )
        if self.metrics not in ("token", "open", "closed"):
            raise InputError(f"{variable('metrics')} is {self.metrics!r}", fix="Give token, open or closed")
        for name in ("tokens", "metrics_tokens"):
            for number, token in enumerate(getattr(self, name), 1):
                check_token(token, where=f"{variable(name)}, number {number}")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ServeSettings":
        """Raises InputError for a variable that is none of these, and for a value that cannot be used."""
        known = {variable(each.name): each for each in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in environment.items():
            if not name.startswith(PREFIX) or SERVICE_LINK.fullmatch(name.removeprefix(PREFIX)):
                continue
            if name not in known:
                # A misspelt name of the tokens would otherwise leave the service open.
                raise InputError(f"there is no setting {name}", fix=f"Name one of {', '.join(known)}")
            values[known[name].name] = _parsed(name, text.strip(), known[name].default)
        return cls(**values)


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def check_token(token: str, *, where: str) -> None:
    """Raises InputError, without the token in it, for one that is too easily guessed or cannot be sent."""
    if not TOKEN.fullmatch(token):
        raise InputError(
            "a token must have at least 16 printable ASCII characters, and no space, comma or #",
            where=where,
            fix="`openssl rand -hex 24` makes a good one",
        )


def _parsed(name: str, text: str, default: object) -> Any:
    if isinstance(default, tuple):
        return tuple(part for part in (part.strip() for part in text.split(",")) if part)
    if default is None:
        return Path(text) if text else None
    if isinstance(default, str):
        return text
    whole = isinstance(default, int)
    try:
        return int(text) if whole else float(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{name} is {text!r}", fix=f"Give {kind}") from None
