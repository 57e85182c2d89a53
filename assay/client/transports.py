"""How a request reaches a service: HTTP (this machine, a cluster), SageMaker, Vertex AI."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from assay.client.policy import Document, retry_after
from assay.cloud import GoogleToken, Runtime
from assay.errors import InputError

DETAIL = 300
"""Characters of a refusal that an error repeats."""


@dataclass(frozen=True)
class Reply:
    """The answer to one try."""

    status: int
    """HTTP status; 0 if no complete answer arrived."""
    content: Any
    """Answers of the documents if the status is 200, else the reason in words."""
    retry_after: float | None = None
    """Seconds that the service asks to wait."""


class Transport(Protocol):
    """A way to a service, which sends one request once."""

    @property
    def where(self) -> str:
        """The place, for messages."""
        ...

    def send(self, documents: Sequence[Document]) -> Reply:
        """Send documents and return the answer, also a failure."""
        ...


@dataclass(frozen=True)
class Http:
    """The request of a service of Assay: POST /score."""

    url: str
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError("this is no URL of a service", where=self.url, fix="Give http:// or https://")

    @property
    def where(self) -> str:
        """URL that is called."""
        return f"{self.url.rstrip('/')}/score"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def body(self, documents: Sequence[Document]) -> dict[str, Any]:
        """Return the JSON body."""
        return {"documents": [dict(document) for document in documents]}

    def answers(self, content: Any) -> Any:
        """Return the answers of a JSON body."""
        return content


@dataclass(frozen=True)
class Vertex:
    """An endpoint of Vertex AI: `instances` in, `predictions` out. Not run against Google's service."""

    endpoint: str
    """`projects/…/locations/…/endpoints/…`."""
    region: str
    api: str = ""
    """URL of the API (default: that of the region)."""
    credentials: Callable[[], str] = field(default_factory=GoogleToken, repr=False)
    """Return an access token (default: that of the environment, or of the application default credentials)."""

    @property
    def where(self) -> str:
        """URL that is called."""
        api = self.api or f"https://{self.region}-aiplatform.googleapis.com"
        return f"{api.rstrip('/')}/v1/{self.endpoint}:predict"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request. Raise InputError if there are no credentials."""
        return {"Authorization": f"Bearer {self.credentials()}"}

    def body(self, documents: Sequence[Document]) -> dict[str, Any]:
        """Return the JSON body."""
        return {"instances": [dict(document) for document in documents]}

    def answers(self, content: Any) -> Any:
        """Return the answers of a JSON body."""
        return content.get("predictions") if isinstance(content, dict) else None


@dataclass(frozen=True)
class SageMaker:
    """An endpoint of SageMaker, whose /invocations takes the body of /score. Not run against AWS."""

    endpoint: str
    region: str
    url: str = ""
    """URL of the runtime's API (default: that of the region)."""
    timeout: float = 60.0
    """Seconds for one try."""

    @property
    def where(self) -> str:
        """The endpoint, for messages."""
        return f"SageMaker endpoint {self.endpoint} in {self.region}"

    @functools.cached_property
    def _runtime(self) -> Runtime:
        return Runtime(self.region, url=self.url, seconds=self.timeout)

    def send(self, documents: Sequence[Document]) -> Reply:
        """See `Transport`. Raise InputError if the call cannot be made, such as without credentials."""
        return Reply(*self._runtime.send(self.endpoint, {"documents": [dict(document) for document in documents]}))


def read_reply(form: Http | Vertex, response: httpx.Response) -> Reply:
    """Return the answer of an HTTP response."""
    wait = retry_after(response.headers.get("retry-after"))
    try:
        content = response.json()
    except ValueError:
        content = response.text[:DETAIL]
        if response.status_code == 200:
            return Reply(502, "the body is not JSON")
    if response.status_code == 200:
        return Reply(200, form.answers(content))
    words = content.get("error", content) if isinstance(content, dict) else content
    return Reply(response.status_code, str(words)[:DETAIL], wait)
