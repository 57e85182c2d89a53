"""Call a service over HTTP or HTTPS: one request, one answer."""

import json
import ssl
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, MaxRetryError, NewConnectionError, ReadTimeoutError
from urllib3.exceptions import TimeoutError as RequestTimeoutError
from urllib3.util import Retry, Timeout

from assay.errors import InputError

RETRIES = 2
"""Retries of a GET whose connection breaks before its answer is complete."""
BACKOFF = 0.1
"""Seconds. urllib3 retries at once, then after 2 x BACKOFF."""


class _BrokenConnection(Retry):
    """Retry a request that is safe to repeat if its connection breaks, never after a timeout."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        *others: Any,
        **more: Any,
    ) -> "_BrokenConnection":
        # The caller set a time limit for the answer: a retry after it would multiply the limit.
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, *others, **more)


def ask(
    url: str, path: str, content: Any = None, *, token: str = "", timeout: float = 60.0, retries: int = RETRIES
) -> tuple[int, Any]:
    """Send a GET, or a POST of JSON content, to the service at `url`. Return the status and the body of the answer.

    A JSON body is returned as its value, any other body as text. `timeout` is in seconds: for connecting, and for each
    wait for data. If the connection breaks, a GET is sent again up to `retries` times, a POST never. Redirects are not
    followed. Certificates are checked with the authorities of OpenSSL, or those in the file that SSL_CERT_FILE names.

    Raise ConnectionError or TimeoutError, both OSErrors, if no complete answer arrives. Raise InputError if `url` is no
    URL of HTTP, or if the certificate of the service is not accepted.
    """
    place = (url if "://" in url else f"http://{url}").rstrip("/")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    policy = _BrokenConnection(
        total=retries,
        # A refused connection is reported at once: callers that wait for a server poll it at their own pace.
        connect=0,
        # A client cannot tell whether a POST that broke off has been worked on: a retry could do the work twice.
        allowed_methods={"GET"},
        # Callers read 429 and 503 themselves, so urllib3 must not wait for the time in Retry-After.
        status=0,
        respect_retry_after_header=False,
        other=0,
        backoff_factor=BACKOFF,
    )
    # A connection is not reused: one that the server has closed meanwhile would break the next POST.
    with urllib3.PoolManager(timeout=Timeout(connect=timeout, read=timeout), retries=policy) as pool:
        try:
            response = pool.request(
                "GET" if content is None else "POST",
                place + path,
                body=None if content is None else json.dumps(content).encode("ascii"),
                headers=headers,
                redirect=False,
            )
        except LocationValueError as error:
            raise InputError(
                f"this is no URL of a service: {error}", where=url, fix="Give http:// or https://"
            ) from error
        except HTTPError as error:
            raise _failure(error, place, timeout) from error
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    as_json = kind == "application/json"
    return response.status, json.loads(response.data) if as_json else response.data.decode("utf-8", "replace")


def _failure(error: HTTPError, place: str, timeout: float) -> Exception:
    """Return the error to raise: urllib3 wraps the reason several times, and names its own objects in the message."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    cause = next((each for each in (reason.__cause__, *reason.args[::-1]) if isinstance(each, Exception)), reason)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return InputError(
            f"the certificate of the service is not accepted: {cause.verify_message}",
            where=place,
            fix="Name the file of its certificate authority in SSL_CERT_FILE, or call the name in the certificate",
        )
    # NewConnectionError, a refused connection, is a timeout only by its base class.
    if isinstance(reason, RequestTimeoutError) and not isinstance(reason, NewConnectionError):
        return TimeoutError(f"timed out after {timeout:g} s")
    return ConnectionError(str(cause) or type(cause).__name__)
