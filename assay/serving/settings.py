"""Settings of a service: limits, access, metrics, log. They are variables, because a Bento is the same everywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from assay.backends import BACKENDS, REFERENCE
from assay.errors import InputError
from assay.storage import parse_setting

PREFIX = "ASSAY_SERVE_"
PROCESS = {
    "BENTOML_DO_NOT_TRACK": "True",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "GOMP_SPINCOUNT": "3000",
}
"""Environment of every server process, also in an image. No library reports usage. GOMP_SPINCOUNT: threads that wait
for each other spin for a moment, then sleep. Without spinning a short document takes 3 ms longer. With libgomp's
default it takes 270 to 480 ms instead of 30 while another process uses one of two cores (benchmarks/RESULTS.md)."""
SERVICE_LINK = re.compile(r"(SERVICE_(HOST|PORT).*|PORT(_.*)?)")
"""Variables that Kubernetes sets in every pod if a Service is called `assay-serve`, without the prefix."""
TOKEN = re.compile(r"[!-\"$-+\--~]{16,}")
"""Printable ASCII without space, comma and #: a token is sent in a header, listed between commas, and may be followed
by a comment in a file."""

ROUTE = re.compile(r"/[A-Za-z0-9._~:@/-]+")
"""Paths that a platform may call."""


@dataclass(frozen=True)
class ServeSettings:
    """Settings, each read from `ASSAY_SERVE_<FIELD IN CAPITALS>`. A variable that is not set keeps the default."""

    documents: int = 256
    """Most documents of a request; more are answered 413."""
    characters: int = 5_000_000
    """Characters of the longest accepted text; a longer one is answered 413. A shorter one may still be too long to be
    scored as one document (`assay.inference.Limits`): it gets the reason `too long`."""
    body_bytes: int = 8 * 2**20
    """Bytes of the largest body; a larger one is answered 413 before it is read."""
    requests: int = 256
    """Requests in work or waiting at one time; the next one is answered 429."""
    waiting_bytes: int = 64 * 2**20
    """Bytes of bodies held at one time; a request beyond that is answered 429."""
    seconds: float = 60.0
    """Seconds for one request, from its first byte to its answer; after them the answer is 504."""
    body_seconds: float = 15.0
    """Seconds for the body of a request to arrive; after them the answer is 408. A body holds no place while it
    arrives, so that slow clients block nobody."""
    backend: str = REFERENCE
    """Library and arithmetic that compute the network, as of `assay score --backend`; the golden documents must agree.
    Not int8: what it changes is measured on a corpus, and a service has none."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Tokens of clients, separated by commas; probes need none. Without tokens and file, the service is open to all."""
    tokens_file: Path | None = None
    """File with further tokens, one a line; `#` begins a comment. It is read again whenever it changes. While it is
    gone or cannot be read, none of its tokens is valid; a line that is no token admits nobody, and the others do."""
    require_tokens: bool = False
    """True refuses to start without `tokens` or `tokens_file`. The overlay for production sets it."""
    metrics: str = "token"
    """Access to /metrics: `token`, `open` or `closed` (404). With `token` it needs one if the service does: volumes and
    scores are private, and a scraper is configured with a token in one line."""
    metrics_tokens: tuple[str, ...] = field(default=(), repr=False)
    """Tokens for /metrics only, separated by commas. Without any, the tokens of the service are valid there."""
    platform: str = ""
    """`sagemaker` or `vertex`: answer by the contract of that cloud, too (`assay.serving.contracts`). The cloud checks
    who calls, and passes no token on, so that tokens are refused here."""
    health_route: str = "/health"
    """Route of the health check, with `platform` vertex."""
    predict_route: str = "/predict"
    """Route of predictions, with `platform` vertex."""
    log: str = ""
    """Folder or URL of the score log (`assay.scorelog`), which `assay watch` reads; empty: no log. It holds no text and
    no id. If it cannot be written, requests are still answered, and the metric assay_log_rows counts the lost rows."""
    log_share: float = 1.0
    """Share of the answers to /score that is logged, drawn at random."""
    log_rows: int = 10_000
    """Answers in one file, approximately."""
    log_seconds: float = 300.0
    """Most seconds an answer waits to be written. Waiting answers are lost if the process is killed."""

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS or "int8" in self.backend:
            served = [name for name in BACKENDS if "int8" not in name]
            raise InputError(f"{variable('backend')} is {self.backend!r}", fix=f"Give one of: {', '.join(served)}")
        for name in ("documents", "characters", "body_bytes", "requests", "waiting_bytes", "seconds", "body_seconds"):
            # A comparison with NaN is false, so NaN is refused, too.
            if not 0 < getattr(self, name) < 2**40:
                raise InputError(f"{variable(name)} is {getattr(self, name)}", fix="Give a number above 0")
        if self.waiting_bytes < self.body_bytes:
            raise InputError(
                f"{variable('waiting_bytes')} is {self.waiting_bytes}, less than one body of {self.body_bytes}",
                fix=f"Raise it, or lower {variable('body_bytes')}",
            )
        if self.log and "://" not in self.log and not Path(self.log).is_absolute():
            # The server runs in a temporary folder, which would contain a relative path.
            raise InputError(f"{variable('log')} is {self.log!r}", fix="Give an absolute path, or a URL")
        for name, most in (("log_share", 1.0), ("log_rows", 1_000_000), ("log_seconds", 3_600.0)):
            if not 0 < getattr(self, name) <= most:
                raise InputError(
                    f"{variable(name)} is {getattr(self, name)}", fix=f"Give a number above 0, and at most {most:g}"
                )
        if self.require_tokens and not self.guarded:
            raise InputError(
                f"{variable('require_tokens')} is set, and there is no token",
                fix=f"Set {variable('tokens')} or {variable('tokens_file')}",
            )
        if self.platform not in ("", "sagemaker", "vertex"):
            raise InputError(f"{variable('platform')} is {self.platform!r}", fix="Give sagemaker, vertex or nothing")
        if self.platform and (self.guarded or self.require_tokens):
            raise InputError(
                f"{self.platform} passes no token on to a container: every request would be refused",
                fix="Set no tokens: the cloud checks who may call the endpoint",
            )
        for name in ("health_route", "predict_route"):
            if not ROUTE.fullmatch(getattr(self, name)):
                raise InputError(f"{variable(name)} is {getattr(self, name)!r}", fix="Give a path such as /predict")
        if self.metrics not in ("token", "open", "closed"):
            raise InputError(f"{variable('metrics')} is {self.metrics!r}", fix="Give token, open or closed")
        for name in ("tokens", "metrics_tokens"):
            for number, token in enumerate(getattr(self, name), 1):
                check_token(token, where=f"{variable(name)}, number {number}")

    @property
    def guarded(self) -> bool:
        """Return True if clients need a token."""
        return bool(self.tokens or self.tokens_file)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ServeSettings":
        """Read the settings from variables. Raise InputError if a variable is unknown or has a value of no use."""
        known, kinds = {variable(each.name): each for each in fields(cls)}, get_type_hints(cls)
        values: dict[str, Any] = {}
        for name, text in environment.items():
            if not name.startswith(PREFIX) or SERVICE_LINK.fullmatch(name.removeprefix(PREFIX)):
                continue
            if name not in known:
                # Ignored, a misspelt name of the tokens would leave the service open.
                raise InputError(f"there is no setting {name}", fix=f"Name one of {', '.join(known)}")
            field_name, default = known[name].name, known[name].default
            raw = _raw(text.strip(), default)
            # Messages never repeat a token.
            what = f"{name} is {raw!r}, which" if isinstance(raw, str) else name
            values[field_name] = parse_setting(kinds[field_name], raw, what=what)
        return cls(**values)


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()


def check_token(token: str, *, where: str) -> None:
    """Raise InputError if a token is easy to guess or cannot be sent. The message does not contain the token."""
    if not TOKEN.fullmatch(token):
        raise InputError(
            "a token must have at least 16 printable ASCII characters, and no space, comma or #",
            where=where,
            fix="`openssl rand -hex 24` makes a good one",
        )


def _raw(text: str, default: object) -> Any:
    """Return the text of a variable as the value to parse: a list of tokens, None for no file, else the text."""
    if isinstance(default, tuple):
        return [part for part in (part.strip() for part in text.split(",")) if part]
    return None if default is None and not text else text
