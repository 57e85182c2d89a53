"""How much may be in work at one time, in requests and in bytes: what goes beyond is told to come again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Receive

from assay.serving.documents import RefusedError
from assay.serving.settings import ServeSettings


class Admission:
    """Counts what was let in and is not done yet; for one event loop."""

    def __init__(self, settings: ServeSettings, told: Callable[[int], None]) -> None:
        """`told` is told how many requests are in work, whenever that changes."""
        self._settings = settings
        self._told = told
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def enter(self) -> Iterator["Body"]:
        """Let one request in, for as long as the block lasts. Raises RefusedError (429) where there is no room."""
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
        self._told(self._requests)

    def hold(self, count: int) -> None:
        """Raises RefusedError (429) where so many more bytes have no room."""
        if self._bytes + count > self._settings.waiting_bytes:
            raise _overload()
        self._bytes += count

    @property
    def largest(self) -> int:
        """Bytes of the largest body that is taken."""
        return self._settings.body_bytes


class Body:
    """The body of one request."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.bytes = 0
        """Held so far."""

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """All of it. Raises RefusedError: 413 for too much, unread if its length was told; 429; 400 for a part."""
        largest = self._admission.largest
        if content_length.isdecimal() and int(content_length[:20]) > largest:
            raise _too_large(largest)
        chunks = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                # Nobody hears it; BentoML would wait for an answer until its own time is over.
                raise RefusedError(400, "the body is not complete")
            chunk = message.get("body", b"")
            if self.bytes + len(chunk) > largest:
                raise _too_large(largest)
            self._admission.hold(len(chunk))
            self.bytes += len(chunk)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)


def _overload() -> RefusedError:
    return RefusedError(429, "too much is being worked on", headers={"Retry-After": "1"})


def _too_large(largest: int) -> RefusedError:
    return RefusedError(413, f"the body is larger than {largest} bytes")
