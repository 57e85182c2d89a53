"""Adaptive batching: while the model works, what comes waits, and all that waits is the next batch.

There is no timer. Who comes alone is served at once, and under load batches grow by themselves. BentoML's own batching
lets a single client wait as long as clients waited on average under load, and looks every millisecond whether to go on.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 64
"""Items of one batch. The network works on fewer at a time; more would only let those wait who come meanwhile."""
TURN = 8
"""Items taken of one request before it is another one's turn."""


@dataclass
class _Request(Generic[Item, Answer]):
    items: Sequence[Item]
    done: asyncio.Future[list[Answer]]
    answers: list[Answer] = field(default_factory=list)
    taken: int = 0


class Batcher(Generic[Item, Answer]):
    """Asks `work` for the answers to batches of items on the one thread of `pool`; for one event loop."""

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Answer]], pool: ThreadPoolExecutor, *, most: int = MOST
    ) -> None:
        """`work` gives as many answers as it is given items, in their order."""
        self._work, self._pool, self._most = work, pool, most
        self._waiting: deque[_Request[Item, Answer]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def ask(self, items: Sequence[Item]) -> list[Answer]:
        """Answers to the items, in their order. Raises what `work` raised for a batch with one of them."""
        request: _Request[Item, Answer] = _Request(items, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await request.done

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._one_batch()
        finally:
            self._running = None

    async def _one_batch(self) -> None:
        pieces = self._take()
        items = [item for request, start, end in pieces for item in request.items[start:end]]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._pool, self._work, items)
        except Exception as error:
            for request, _, _ in pieces:
                self._waiting = deque(other for other in self._waiting if other is not request)
                if not request.done.done():
                    request.done.set_exception(error)
            return
        at = 0
        for request, start, end in pieces:
            request.answers += answers[at : at + end - start]
            at += end - start
            if len(request.answers) == len(request.items) and not request.done.done():
                request.done.set_result(request.answers)

    def _take(self) -> list[tuple[_Request[Item, Answer], int, int]]:
        """The next batch, as pieces of requests: by turns, so that a small request is not kept by a large one."""
        pieces: list[tuple[_Request[Item, Answer], int, int]] = []
        room = self._most
        while room and self._waiting:
            request = self._waiting.popleft()
            end = min(request.taken + TURN, request.taken + room, len(request.items))
            pieces.append((request, request.taken, end))
            room -= end - request.taken
            request.taken = end
            if end < len(request.items):
                self._waiting.append(request)
        return pieces
