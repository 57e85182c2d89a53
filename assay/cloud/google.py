"""The REST API of Vertex AI: tokens by google-auth, requests by httpx, long-running operations with a deadline."""

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError

TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"
"""Environment variable with a token, as `gcloud auth print-access-token` prints it. It ends after an hour."""
API = "ASSAY_VERTEX_API"
"""Environment variable with another address of the API, such as that of Private Service Connect."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PROJECT = re.compile(r"([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|\d{6,}")
LOCATION = re.compile(r"[a-z]+(-[a-z]+)+\d{1,2}")
IMAGE = re.compile(
    r"([a-z0-9-]+-docker\.pkg\.dev/[\w.:-]+/[\w.-]+|([a-z]+\.)?gcr\.io/[\w.:-]+)/[\w./-]+"
    r"(:[\w.-]+|@sha256:[0-9a-f]{64})"
)
ATTEMPTS = 6
FIRST_PAUSE = 1.0
"""Seconds before the second try; each further pause is twice as long."""
MOST_PAUSE = 60.0
SECONDS = 60.0
"""Seconds for one answer."""


@dataclass(frozen=True)
class GoogleSettings:
    """A project and a location of Google Cloud."""

    project: str = ""
    location: str = ""


class ApiError(InputError):
    """The API refused a request, an operation failed, or it did not end in time."""

    def __init__(self, what: str, *, status: str, where: str = "", fix: str = "") -> None:
        """`status`: the code of Google's APIs, such as NOT_FOUND; `DEADLINE` if an operation does not end."""
        super().__init__(what, where=where, fix=fix)
        self.status = status


class GoogleToken:
    """Tokens of Google Cloud: that of the environment, or of the application default credentials, while it is valid."""

    def __init__(self) -> None:
        self._credentials: Any = None

    def __call__(self) -> str:
        """Return a valid token. Raise ApiError if there are no credentials."""
        if given := os.environ.get(TOKEN):
            return given
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.urllib3 import Request

        try:
            if self._credentials is None:
                import urllib3

                self._credentials, _ = google.auth.default(scopes=[SCOPE])
                self._request = Request(urllib3.PoolManager())
            if not self._credentials.valid:
                self._credentials.refresh(self._request)
        except GoogleAuthError as error:
            raise ApiError(
                f"there is no token of Google Cloud: {error}",
                status="UNAUTHENTICATED",
                fix="`gcloud auth application-default login`, or name a key in GOOGLE_APPLICATION_CREDENTIALS",
            ) from error
        return str(self._credentials.token)


class Google:
    """Requests to Vertex AI for one project and location."""

    def __init__(self, settings: GoogleSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raise InputError if project or location cannot be one. Calls nothing."""
        import httpx

        if not PROJECT.fullmatch(settings.project):
            raise InputError(
                f"{settings.project!r} is no project", where="--project", fix="Give the id of one, such as my-project"
            )
        if not LOCATION.fullmatch(settings.location):
            raise InputError(
                f"there is no region {settings.location!r}", where="--region", fix="Give one such as europe-west4"
            )
        self.parent = f"projects/{settings.project}/locations/{settings.location}"
        self.where = f"{settings.project}, {settings.location}"
        address = os.environ.get(API) or f"https://{settings.location}-aiplatform.googleapis.com"
        self._root = f"{address.rstrip('/')}/v1/"
        self._http = httpx.Client(timeout=SECONDS)
        self._token = GoogleToken()
        self._sleep = sleep

    def find(self, what: str, path: str) -> dict[str, Any] | None:
        """Return a resource, or None if it does not exist. Raise ApiError as `call`."""
        try:
            return self.call(what, "GET", path)
        except ApiError as error:
            if error.status == "NOT_FOUND":
                return None
            raise

    def call(
        self,
        what: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> dict[str, Any]:
        """Send a request and return the JSON of the answer.

        `path` follows `v1/`. `what` begins the message of an error. `again`: the request may be repeated although its
        outcome is unknown; one that was refused because of too many requests is repeated anyway. Raise ApiError.
        """
        import httpx

        pause = FIRST_PAUSE
        for attempt in range(ATTEMPTS):
            last = attempt + 1 == ATTEMPTS
            try:
                response = self._http.request(
                    method,
                    self._root + path,
                    json=body,
                    params=dict(params or {}),
                    headers={"Authorization": f"Bearer {self._token()}"},
                )
            except httpx.HTTPError as error:
                if last or not again:
                    raise ApiError(
                        f"{what}: {type(error).__name__}: {error}",
                        status="UNAVAILABLE",
                        where=self.where,
                        fix="Check the network and the region; the same command again goes on",
                    ) from error
            else:
                if response.is_success:
                    return dict(response.json()) if response.content else {}
                repeat = response.status_code == 429 or (again and response.status_code >= 500)
                if last or not repeat:
                    raise self._refused(what, response)
                pause = max(pause, _seconds(response.headers.get("Retry-After", "")))
            self._sleep(min(pause, MOST_PAUSE))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def finish(self, what: str, operation: Mapping[str, Any], within: float, poll: float = 10.0) -> dict[str, Any]:
        """Wait for a long-running operation, and return its response. Raise ApiError if it fails, and with the status
        DEADLINE if it is not done after `within` seconds.
        """
        deadline, now = time.monotonic() + within, dict(operation)
        while not now.get("done"):
            if time.monotonic() > deadline:
                raise ApiError(
                    f"{what}: the operation is not done after {within:g} s",
                    status="DEADLINE",
                    where=str(now.get("name", "")),
                    fix="Look at it in the console; the same command again goes on",
                )
            self._sleep(poll)
            now = self.call(what, "GET", str(now["name"]))
        if error := now.get("error"):
            status = _name(int(error.get("code", 2)))
            raise ApiError(f"{what}: {error.get('message', status)}", status=status, where=self.where, fix=_fix(status))
        return dict(now.get("response", {}))

    def _refused(self, what: str, response: Any) -> ApiError:
        try:
            error = response.json()["error"]
            status, message = str(error.get("status", "")), str(error.get("message", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            status, message = "", ""
        status = status or {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED"}.get(
            response.status_code, "UNKNOWN"
        )
        if status == "UNAUTHENTICATED":
            message = "the token is not valid, or has expired"
        message = message or f"status {response.status_code}"
        return ApiError(f"{what}: {message}", status=status, where=self.where, fix=_fix(status, message))


def require_image(image: str) -> None:
    """Raise InputError if an image is none of Artifact Registry with a tag or digest."""
    if not IMAGE.fullmatch(image):
        raise InputError(
            f"{image!r} is no image of Artifact Registry with a tag or digest",
            where="--image",
            fix="Give one such as europe-west4-docker.pkg.dev/PROJECT/assay/serve:1",
        )


def _fix(status: str, message: str = "") -> str:
    if status == "PERMISSION_DENIED" and "has not been used" in message:
        return "`gcloud services enable aiplatform.googleapis.com`"
    return {
        "UNAUTHENTICATED": "`gcloud auth application-default login`",
        "PERMISSION_DENIED": "Give this account roles/aiplatform.user, and check the project's name",
        "NOT_FOUND": "Check --project and --region",
        "RESOURCE_EXHAUSTED": "Ask for a higher quota (IAM & Admin, Quotas), or name another machine type",
        "ABORTED": "Somebody else changed it meanwhile: check `assay deployment status`, and decide again",
        "FAILED_PRECONDITION": "Check `assay deployment status`, and decide again",
    }.get(status, "")


def _name(code: int) -> str:
    """Return the name of a code of google.rpc.Code."""
    names = {3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED"}
    names |= {8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED", 13: "INTERNAL", 16: "UNAUTHENTICATED"}
    return names.get(code, "UNKNOWN")


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
