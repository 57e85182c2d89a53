"""Admission: limits on the requests, and on the bytes of their bodies, that are in work at one time."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Receive

from assay.serving.documents import RefusedError
from assay.serving.settings import ServeSettings

EXPLAIN_SHARE = 8
"""One in so many places may be held by /explain, so that slow explanations leave places for scores."""


class Admission:
    """Count the admitted requests and bytes that are not done yet; for one event loop.

    A request counts once its body is complete: a client that sends slowly, or nothing at all, holds no place.
    """

    def __init__(self, settings: ServeSettings, on_change: Callable[[int], None]) -> None:
        """`on_change` is called with the number of requests in work whenever it changes."""
        self._settings = settings
        self._on_change = on_change
        self._requests = 0
        self._explains = 0
        self._bytes = 0

    def check(self, *, explain: bool) -> None:
        """Raise RefusedError (429) if no place is free, before any of the body is read."""
        full = self._requests >= self._settings.requests
        if full or (explain and self._explains >= max(1, self._settings.requests // EXPLAIN_SHARE)):
            raise _overload()

    @contextmanager
    def enter(self, *, explain: bool) -> Iterator[None]:
        """Admit one request for the duration of the block. Raise RefusedError (429) if the limit is reached."""
        self.check(explain=explain)
        self._change(1, explain)
        try:
            yield
        finally:
            self._change(-1, explain)

    @contextmanager
    def body(self) -> Iterator["Body"]:
        """Return a body to be read. Its bytes count for the duration of the block."""
        body = Body(self)
        try:
            yield body
        finally:
            self._bytes -= body.bytes

    def _change(self, count: int, explain: bool) -> None:
        self._requests += count
        self._explains += count * explain
        self._on_change(self._requests)

    def hold(self, count: int) -> None:
        """Count `count` more bytes. Raise RefusedError (429) if they exceed the limit."""
        if self._bytes + count > self._settings.waiting_bytes:
            raise _overload()
        self._bytes += count

    @property
    def settings(self) -> ServeSettings:
        """Limits of one body."""
        return self._settings


class Body:
    """The body of one request."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.bytes = 0
        """Bytes read so far, which count against the limit of the server."""

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """Return the whole body.

        Raise RefusedError: 413 if it is too large, before reading it if Content-Length is too large; 429 if the server
        holds too many bytes; 408 if it takes too long; 400 if the client hangs up before the end.
        """
        settings = self._admission.settings
        # Python refuses to parse very long digits; the first 20 are enough to exceed any limit.
        if content_length.isdecimal() and int(content_length[:20]) > settings.body_bytes:
            raise _too_large(settings.body_bytes)
        try:
            async with asyncio.timeout(settings.body_seconds):
                return await self._read(receive, settings.body_bytes)
        except TimeoutError:
            message = f"the body is not complete after {settings.body_seconds:g} seconds"
            raise RefusedError(408, message, headers={"Connection": "close"}) from None

    async def _read(self, receive: Receive, largest: int) -> bytes:
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
            self.hold(len(chunk))
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)

    def hold(self, count: int) -> None:
        """Count `count` more bytes of this body. Raise RefusedError (429) if all bodies together exceed the limit."""
        self._admission.hold(count)
        self.bytes += count


def _overload() -> RefusedError:
    return RefusedError(429, "too much is being worked on", headers={"Retry-After": "1"})


def _too_large(largest: int) -> RefusedError:
    return RefusedError(413, f"the body is larger than {largest} bytes")
