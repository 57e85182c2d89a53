"""Admission: limits on the requests, and on the bytes of their bodies, that are in work at one time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Receive

from assay.serving.documents import RefusedError
from assay.serving.packing import unpacked
from assay.serving.settings import ServeSettings


class Admission:
    """Count the admitted requests and bytes that are not done yet; for one event loop."""

    def __init__(self, settings: ServeSettings, on_change: Callable[[int], None]) -> None:
        """`on_change` is called with the number of requests in work whenever it changes."""
        self._settings = settings
        self._on_change = on_change
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def enter(self) -> Iterator["Body"]:
        """Admit one request for the duration of the block. Raise RefusedError (429) if the limit is reached."""
        if self._requests >= self._settings.requests:
            raise _overload()
        body = Body(self)
        self._change(1)
        try:
            yield body
        finally:
            self._change(-1)
            self._bytes -= body.bytes

    def _change(self, count: int) -> None:
        self._requests += count
        self._on_change(self._requests)

    def hold(self, count: int) -> None:
        """Count `count` more bytes. Raise RefusedError (429) if they exceed the limit."""
        if self._bytes + count > self._settings.waiting_bytes:
            raise _overload()
        self._bytes += count

    @property
    def largest(self) -> int:
        """Size of the largest accepted body, in bytes."""
        return self._settings.body_bytes


class Body:
    """The body of one request."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.bytes = 0
        """Bytes read so far, which count against the limit of the server."""

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """Return the whole body.

        Raise RefusedError: 413 if it is too large, before reading it if Content-Length is too large; 429 if the server
        holds too many bytes; 400 if the client hangs up before the end.
        """
        largest = self._admission.largest
        # Python refuses to parse very long digits; the first 20 are enough to exceed any limit.
        if content_length.isdecimal() and int(content_length[:20]) > largest:
            raise _too_large(largest)
        chunks = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                # The client never reads this answer; without one BentoML would wait until its own timeout.
                raise RefusedError(400, "the body is not complete")
            chunk = message.get("body", b"")
            # Content-Length may be missing or wrong, so each chunk is checked, too.
            if self.bytes + len(chunk) > largest:
                raise _too_large(largest)
            self._admission.hold(len(chunk))
            self.bytes += len(chunk)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)

    def unpack(self, data: bytes, encoding: str) -> bytes:
        """Return the body without its content encoding. Raise RefusedError as `unpacked` does, and 429 as `read`."""
        content = unpacked(data, encoding, self._admission.largest)
        if content is not data:
            self._admission.hold(len(content))
            self.bytes += len(content)
        return content


def _overload() -> RefusedError:
    return RefusedError(429, "too much is being worked on", headers={"Retry-After": "1"})


def _too_large(largest: int) -> RefusedError:
    return RefusedError(413, f"the body is larger than {largest} bytes")
