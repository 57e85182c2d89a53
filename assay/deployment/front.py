"""The one port that clients know: every request is passed to the server of the moment, of which a file tells.

    python assay/deployment/front.py FOLDER HOST PORT

It imports nothing of the house, and so takes a fiftieth of the memory of a server.
The file is replaced by a rename, and read for each request: a request goes to the old server or to the new one, and
none is lost. Two servers that share a port by SO_REUSEPORT could do without this process, but the kernel gives each
some of the connections as soon as it listens, proved or not, and those waiting at one that ends are reset.

A connection carries one request. What waits between two requests on a connection that stays open would meet the end of
its server, and a client cannot tell whether a POST that was cut off has been worked on. So `Connection: close` is put
into the head of the request, the only part that is looked at; whatever follows passes as it is, both ways.
"""

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]

RECORD = "front.json"
"""Of this process: host, port, and who it is."""
ROUTE = "serving.json"
"""What serves; written by deployments."""
HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
"""In which a client has to say what it wants."""
CONNECT_SECONDS = 5.0
"""For which a server that does not answer is tried again, which is never long: a dead one refuses at once."""
CHUNK = 64 * 1024
CONNECTION = re.compile(rb"(?im)^(?:connection|keep-alive|proxy-connection)[ \t]*:.*\r\n")


def port_of(folder: Path) -> int | None:
    """Where the server of the moment listens; None where nothing is served."""
    try:
        return int(json.loads((folder / ROUTE).read_text(encoding="utf-8"))["server"]["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Front:
    """Passes requests on; for one event loop."""

    def __init__(self, upstream: Callable[[], int | None]) -> None:
        """`upstream` gives the port for each request."""
        self._upstream = upstream

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
        except asyncio.LimitOverrunError:
            await _refuse(writer, b"431 Request Header Fields Too Large", b"the head of the request is too large")
            return
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            await _close(writer)
            return
        server = await self._connect()
        if server is None:
            await _refuse(writer, b"503 Service Unavailable", b"nothing is served here at the moment")
            return
        answers, asks = server
        line, _, fields = head.partition(b"\r\n")
        asks.write(line + b"\r\nConnection: close\r\n" + CONNECTION.sub(b"", fields))
        asking = asyncio.create_task(_pass(reader, asks))
        try:
            # The answer may be complete before the request is: a body that is too large is not read to its end.
            await _pass(answers, writer)
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
            await _close(asks)
            await _close(writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """To the server of the moment, which may be another one with each try: nothing was sent yet."""
        deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            port = self._upstream()
            if port is None:
                return None
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), CONNECT_SECONDS)
            if port == self._upstream():
                return None
        return None


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes as they come, at the pace of whoever takes them."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def _refuse(writer: asyncio.StreamWriter, status: bytes, what: bytes) -> None:
    body = b'{"error": "' + what + b'", "detail": []}'
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nRetry-After: 2\r\nConnection: close\r\n"
    with contextlib.suppress(OSError):
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()


async def run_front(folder: Path, host: str, port: int) -> None:
    """Until SIGTERM; then no new requests, and those under way to their end. Raises OSError where the port is taken."""
    front, stop = Front(lambda: port_of(folder)), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    working: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(front.serve(reader, writer))
        working.add(task)
        task.add_done_callback(working.discard)

    server = await asyncio.start_server(accept, host, port, limit=HEAD_BYTES, backlog=1024)
    own = psutil.Process()
    fields = {"host": host, "port": port, "process": {"pid": own.pid, "started": own.create_time()}}
    partial = folder / f".{RECORD}.{own.pid}"
    partial.write_text(json.dumps(fields), encoding="utf-8")
    partial.replace(folder / RECORD)
    await stop.wait()
    server.close()
    if working:
        await asyncio.wait(working, timeout=60)


if __name__ == "__main__":
    asyncio.run(run_front(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
