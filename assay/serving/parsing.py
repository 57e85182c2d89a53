"""Unpack and parse bodies without keeping the event loop, and with it the probes, waiting."""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from assay.serving.packing import unpacked
from assay.serving.settings import ServeSettings

Parse = Callable[[bytes, ServeSettings, float], Any]
AT_ONCE = 64 * 1024
"""Bytes of the largest body that is parsed on the event loop, which takes a millisecond or two."""


class Parser:
    """Parse small bodies at once and large ones on one thread, one after the other; for one event loop.

    Python parses JSON in one call that no other thread interrupts: 8 MiB of `[],[],…` take 0.4 s, and 3 to 6 s with
    the collector, which walks through all new lists again and again. On a thread, with the collector paused, probes
    are answered between two bodies.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="parse")

    async def unpack(self, body: bytes, encoding: str) -> bytes:
        """Return a body without its content encoding. Raise RefusedError as `unpacked`."""
        if not encoding:
            return body
        # On the same thread: a small body may unpack to the largest one that is allowed.
        run = asyncio.get_running_loop().run_in_executor
        return await run(self._pool, unpacked, body, encoding, self._settings.body_bytes)

    async def parse(self, parse: Parse, body: bytes, until: float) -> Any:
        """Return what `parse` makes of a body: documents, or the one of a request to /explain. Raise RefusedError."""
        if len(body) <= AT_ONCE:
            return parse(body, self._settings, until)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._parse, parse, body, until)

    def _parse(self, parse: Parse, body: bytes, until: float) -> Any:
        gc.disable()
        try:
            return parse(body, self._settings, until)
        finally:
            gc.enable()
