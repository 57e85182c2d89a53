"""The public port: pass every request to the current server, which a file names.

    python assay/deployment/front.py FOLDER HOST PORT

It imports nothing of `assay`, and so takes a fiftieth of the memory of a server.
The file is replaced by a rename, and read for each request: a request goes to the old server or to the new one, and
none is lost. Two servers that share a port by SO_REUSEPORT would need no such process. But the kernel gives connections
to each of them as soon as it listens, checked or not, and resets those that wait at a server that ends. Two that accept
on one inherited socket lose requests, too: uvicorn closes idle connections when it ends, also those whose request is on
its way (measured, with nginx beside them: benchmarks/RESULTS.md).

A connection carries one request. A connection kept open between two requests would break when its server ends, and a
client cannot tell whether a POST that broke off has been worked on. So `Connection: close` is written into the head of
the request, the only part that is read; everything else passes unchanged, both ways.

Clients are not trusted: a head must come in time, connections are counted, and a client that hangs up, which includes
one that closes its sending half, as for uvicorn, ends its connection to the server.
"""

import asyncio
import contextlib
import json
import logging
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]

RECORD = "front.json"
"""File with the host, the port and the identity of this process."""
ROUTE = "serving.json"
"""File with the current server, written by deployments."""
CANARY = "canary.json"
"""File with the server of a canary and its share; missing if there is none."""
HEAD_BYTES = 64 * 1024
"""Largest head of a request."""
HEAD_SECONDS = 10.0
"""Seconds in which a client must send the head."""
MOST_CONNECTIONS = 4_096
"""Most connections of clients at one time. When there are more, the one that has waited longest for its head ends."""
SPARE_FILES = 64
"""Open files that are no connections."""
LINGER_SECONDS = 1.0
"""Seconds in which a refused client may send what it is sending, so that it gets the refusal and not a reset."""
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


def canary_of(folder: Path) -> tuple[int, float] | None:
    """Return the port of a canary and its share of the requests, or None if there is none."""
    try:
        found = json.loads((folder / CANARY).read_text(encoding="utf-8"))
        return int(found["server"]["port"]), float(found["share"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Front:
    """Pass requests on; for one event loop."""

    def __init__(
        self,
        upstream: Callable[[], int | None],
        most: int = MOST_CONNECTIONS,
        canary: Callable[[], tuple[int, float] | None] = lambda: None,
    ) -> None:
        """`upstream` is called for each request and returns the port of the server. `most`: connections at one time.

        `canary` is called alike and returns the port of a further server and its share of the POST requests.
        """
        self._upstream, self._most, self._canary = upstream, most, canary
        self._open = 0
        # In the order of their arrival.
        self._without_head: dict[asyncio.StreamWriter, None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._open += 1
        try:
            if self._open > self._most:
                if not self._without_head:
                    await _refuse(reader, writer, b"503 Service Unavailable", b"too many connections")
                    return
                oldest = next(iter(self._without_head))
                del self._without_head[oldest]
                oldest.transport.abort()
            await self._serve(reader, writer)
        finally:
            self._open -= 1
            self._without_head.pop(writer, None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._without_head[writer] = None
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
        except asyncio.LimitOverrunError:
            await _refuse(
                reader, writer, b"431 Request Header Fields Too Large", b"the head of the request is too large"
            )
            return
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            await _close(writer)
            return
        self._without_head.pop(writer, None)
        # Pages and probes stay at the current server, which they describe.
        server = (await self._connect_canary() if head.startswith(b"POST ") else None) or await self._connect()
        if server is None:
            await _refuse(reader, writer, b"503 Service Unavailable", b"nothing is served here at the moment")
            return
        upstream_reader, upstream_writer = server
        line, _, fields = head.partition(b"\r\n")
        upstream_writer.write(line + b"\r\nConnection: close\r\n" + CONNECTION.sub(b"", fields))
        sending = asyncio.create_task(_pass(reader, upstream_writer))
        # The answer may be complete before the request is: a server does not read the whole of a too large body.
        answering = asyncio.create_task(_pass(upstream_reader, writer))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            # A server that takes no more of the body has an answer. A client that sends no more waits for none.
            if not answering.done() and not sending.result():
                await answering
        finally:
            for task in (sending, answering):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            # Aborted, so that the server learns at once that nobody waits for it. It has sent all by now, or too much.
            upstream_writer.transport.abort()
            await _close(writer)

    async def _connect_canary(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Connect to the canary, for its share of the calls. Return None for the rest, and if it does not accept."""
        found = self._canary()
        # Drawn for each request: then both versions get the same mixture of requests.
        if found is None or random.random() >= found[1]:
            return None
        with contextlib.suppress(OSError, TimeoutError):
            return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", found[0]), CONNECT_SECONDS)
        return None

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


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Copy bytes as they arrive, at the speed of the receiver. Return True if the sender ended, False if the receiver
    did."""
    while True:
        try:
            data = await reader.read(CHUNK)
        except OSError:
            return True
        if not data:
            return True
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            return False


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: bytes, what: bytes) -> None:
    body = b'{"error": "' + what + b'", "detail": []}'
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nRetry-After: 2\r\nConnection: close\r\n"
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            while await reader.read(CHUNK):
                pass
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()


class Once(logging.Filter):
    """Pass one record in ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, _: logging.LogRecord) -> bool:
        """Return True if the record is written."""
        now = time.monotonic()
        passes = now >= self._next
        self._next = now + 10 if passes else self._next
        return passes


async def run_front(folder: Path, host: str, port: int) -> None:
    """Serve until SIGTERM, then complete the requests under way. Raise OSError if the port is taken."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    # A connection of a client has two files: its own, and that of the connection to the server.
    most = min(MOST_CONNECTIONS, max(1, (files - SPARE_FILES) // 2))
    front = Front(lambda: port_of(folder), most, lambda: canary_of(folder))
    stop = asyncio.Event()
    # asyncio would log each connection that it cannot accept, thousands of times a second.
    logging.getLogger("asyncio").addFilter(Once())
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
