"""How a request reaches a service: HTTP (this machine, a cluster), SageMaker, Vertex AI."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from assay.client.policy import Document, retry_after
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
    credentials: Callable[[], str] | None = field(default=None, repr=False)
    """Return an access token (default: google-auth, application default credentials)."""

    @property
    def where(self) -> str:
        """URL that is called."""
        api = self.api or f"https://{self.region}-aiplatform.googleapis.com"
        return f"{api.rstrip('/')}/v1/{self.endpoint}:predict"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request. Raise InputError if there are no credentials."""
        return {"Authorization": f"Bearer {(self.credentials or _google_token)()}"}

    def body(self, documents: Sequence[Document]) -> dict[str, Any]:
        """Return the JSON body."""
        return {"instances": [dict(document) for document in documents]}

    def answers(self, content: Any) -> Any:
        """Return the answers of a JSON body."""
        return content.get("predictions") if isinstance(content, dict) else None


def _google_token() -> str:
    import google.auth
    import google.auth.exceptions
    import google.auth.transport.requests

    try:
        found, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        found.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.GoogleAuthError as error:
        fix = "`gcloud auth application-default login`"
        raise InputError(f"there are no credentials: {error}", where="Google Cloud", fix=fix) from error
    return str(found.token)


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

    def send(self, documents: Sequence[Document]) -> Reply:
        """See `Transport`."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        # The tries of the client are enough: those of botocore would multiply them.
        config = Config(retries={"total_max_attempts": 1}, read_timeout=self.timeout, connect_timeout=self.timeout)
        runtime = boto3.client("sagemaker-runtime", self.region, endpoint_url=self.url or None, config=config)
        body = json.dumps({"documents": [dict(document) for document in documents]})
        try:
            found = runtime.invoke_endpoint(EndpointName=self.endpoint, ContentType="application/json", Body=body)
            return Reply(200, json.loads(found["Body"].read()))
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"].get("Code", "")
            return Reply(429 if "Throttl" in code else status, f"{code}: {error.response['Error'].get('Message', '')}")
        except HTTPClientError as error:
            return Reply(0, str(error))
        except (BotoCoreError, ValueError) as error:
            raise InputError(f"the call cannot be made: {error}", where=self.where) from error


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
