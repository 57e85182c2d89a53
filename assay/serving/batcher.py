"""Adaptive batching: requests that arrive while the model works wait, and together they are the next batch.

There is no timer. A single request is served at once, and under load batches grow by themselves. BentoML's batching
makes a single client wait as long as clients waited on average under load, and polls every millisecond: with it, p50 of
one client after load was 108 ms instead of 25 (benchmarks/RESULTS.md).
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
"""Most items of a batch. The network reads fewer at a time: a larger batch would only delay later requests."""
TURN = 8
"""Items taken from one request before the next request has its turn."""


@dataclass
class _Request(Generic[Item, Answer]):
    items: Sequence[Item]
    done: asyncio.Future[list[Answer]]
    answers: list[Answer] = field(default_factory=list)
    taken: int = 0


class Batcher(Generic[Item, Answer]):
    """Run `work` on batches of items, on the one thread of `pool`; for one event loop."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Answer]],
        pool: ThreadPoolExecutor,
        *,
        most: int = MOST,
        turns: asyncio.Lock | None = None,
    ) -> None:
        """`work` returns one answer an item, in order. A batch has at most `most` items.

        `turns`: a lock shared with other batchers of the pool. It is fair, so that their batches alternate.
        """
        self._work, self._pool, self._most = work, pool, most
        self._turns = turns or asyncio.Lock()
        self._waiting: deque[_Request[Item, Answer]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def submit(self, items: Sequence[Item]) -> list[Answer]:
        """Return the answers to the items, in order. Raise the error of `work` if a batch with one of them failed."""
        request: _Request[Item, Answer] = _Request(items, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        # One task serves all requests. It ends when none waits, so that no task outlives the last request.
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await request.done

    async def _run(self) -> None:
        try:
            while self._waiting:
                async with self._turns:
                    await self._one_batch()
        finally:
            self._running = None

    async def _one_batch(self) -> None:
        pieces = self._take()
        items = [item for request, start, end in pieces for item in request.items[start:end]]
        if not items:
            return
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._pool, self._work, items)
        except Exception as error:
            for request, _, _ in pieces:
                # A large request may have further items waiting: they cannot complete it any more.
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
        """Return the next batch as pieces of requests, in turns: a small request does not wait for a large one."""
        pieces: list[tuple[_Request[Item, Answer], int, int]] = []
        room = self._most
        while room and self._waiting:
            request = self._waiting.popleft()
            # Its client hung up: nobody waits for the answer.
            if request.done.done():
                continue
            end = min(request.taken + TURN, request.taken + room, len(request.items))
            pieces.append((request, request.taken, end))
            room -= end - request.taken
            request.taken = end
            if end < len(request.items):
                self._waiting.append(request)
        return pieces
