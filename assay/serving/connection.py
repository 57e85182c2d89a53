"""What a connection needs beside the answer: the end of a body that was refused, and the end of a client."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Scope, Send

LINGER_SECONDS = 5.0
"""Seconds in which a refused client may send the rest of its body."""
LINGER_BYTES = 64 * 2**20
"""Most bytes of it that are read and dropped."""


class Incoming:
    """The messages of one request, and the knowledge of how far its body was read."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        names = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
        self.complete = names.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in names
        """True if no byte of the body is missing any more."""

    async def __call__(self) -> Message:
        """Receive the next message."""
        message = await self._receive()
        self.complete = self.complete or not message.get("more_body", False)
        return message

    async def drop(self) -> None:
        """Read the rest of the body and drop it, within limits of time and of bytes."""
        dropped = 0
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.complete and dropped < LINGER_BYTES:
                    dropped += len((await self()).get("body", b""))
        except TimeoutError:
            return

    async def gone(self) -> None:
        """Return when the client has hung up. Call it after the body is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def lingering(send: Send, incoming: Incoming) -> Callable[[Message], Awaitable[None]]:
    """Return a `send` that ends an answer only after the body of its request.

    A server that closes a connection with unread bytes resets it, and the client may lose the answer, such as a 413,
    while it still sends (RFC 9112, section 9.6). nginx calls the same lingering_close.
    """

    async def sent(message: Message) -> None:
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not last or incoming.complete:
            await send(message)
            return
        await send({**message, "more_body": True})
        await incoming.drop()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return sent
