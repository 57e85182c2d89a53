"""The public port: pass every request to the current server, which a file names.

    python assay/deployment/front.py FOLDER HOST PORT

It imports nothing of `assay`, and so takes a fiftieth of the memory of a server.
The file is replaced by a rename, and read for each request: a request goes to the old server or to the new one, and
none is lost. Two servers that share a port by SO_REUSEPORT would need no such process. But the kernel gives connections
to each of them as soon as it listens, checked or not, and resets those that wait at a server that ends.

A connection carries one request. A connection kept open between two requests would break when its server ends, and a
client cannot tell whether a POST that broke off has been worked on. So `Connection: close` is written into the head of
the request, the only part that is read; everything else passes unchanged, both ways.
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
"""File with the host, the port and the identity of this process."""
ROUTE = "serving.json"
"""File with the current server, written by deployments."""
HEAD_BYTES = 64 * 1024
"""Largest head of a request."""
HEAD_SECONDS = 30.0
"""Seconds in which a client must send the head."""
CONNECT_SECONDS = 5.0
"""Seconds for connecting to a server. A dead server refuses at once, so this rarely matters."""
CHUNK = 64 * 1024
"""Bytes that are passed on at once."""
# Replaced by `Connection: close`, which each of them could contradict.
CONNECTION = re.compile(rb"(?im)^(?:connection|keep-alive|proxy-connection)[ \t]*:.*\r\n")


def port_of(folder: Path) -> int | None:
    """Return the port of the current server, or None if nothing is served."""
    try:
        return int(json.loads((folder / ROUTE).read_text(encoding="utf-8"))["server"]["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Front:
    """Pass requests on; for one event loop."""

    def __init__(self, upstream: Callable[[], int | None]) -> None:
        """`upstream` is called for each request and returns the port of the server."""
        self._upstream = upstream

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
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
        upstream_reader, upstream_writer = server
        line, _, fields = head.partition(b"\r\n")
        upstream_writer.write(line + b"\r\nConnection: close\r\n" + CONNECTION.sub(b"", fields))
        sending = asyncio.create_task(_pass(reader, upstream_writer))
        try:
            # The answer may be complete before the request is: a server does not read the whole of a too large body.
            await _pass(upstream_reader, writer)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
            await _close(upstream_writer)
            await _close(writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Connect to the current server. If the route changes meanwhile, try the next server: nothing was sent yet."""
        deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            port = self._upstream()
            if port is None:
                return None
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), CONNECT_SECONDS)
            # The same port still: this server is dead, and no deployment is replacing it.
            if port == self._upstream():
                return None
        return None


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes as they arrive, at the speed of the receiver."""
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
    """Serve until SIGTERM, then complete the requests under way. Raise OSError if the port is taken."""
    front, stop = Front(lambda: port_of(folder)), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    working: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(front.serve(reader, writer))
        working.add(task)
        task.add_done_callback(working.discard)

    server = await asyncio.start_server(accept, host, port, limit=HEAD_BYTES, backlog=1024)
    # Written once the port is open: whoever reads the record may connect.
    own = psutil.Process()
    fields = {"host": host, "port": port, "process": {"pid": own.pid, "started": own.create_time()}}
    # Renamed when complete: no reader sees half a record.
    partial = folder / f".{RECORD}.{own.pid}"
    partial.write_text(json.dumps(fields), encoding="utf-8")
    partial.replace(folder / RECORD)
    await stop.wait()
    server.close()
    if working:
        await asyncio.wait(working, timeout=60)


if __name__ == "__main__":
    asyncio.run(run_front(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
