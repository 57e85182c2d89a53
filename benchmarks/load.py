"""Put closed-loop load on a scoring server: each client sends the next request as soon as it has its answer."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil  # type: ignore[import-untyped]

SAMPLE = Path(__file__).resolve().parents[1] / "data/sample/documents.jsonl"
POOL = 512
"""Number of texts of each kind."""
SETTLE = 3.0
"""Seconds of load before the first request that counts."""


@dataclass
class Load:
    """Result of one period of load."""

    clients: int
    """Number of clients."""
    seconds: list[float] = field(default_factory=list)
    """Seconds of each request that started in the measured time, from its sending to the client's next request."""
    answered: int = 0
    """Requests with status 200, at any time."""
    documents: int = 0
    """Documents in these requests."""
    errors: int = 0
    """Other answers and broken connections, at any time."""

    @property
    def rate(self) -> float:
        """Requests per second by Little's law: no client pauses, so each client gets one answer in the mean time.

        A count of the answers within the measured time would depend on where its edges cut a batch.
        """
        return self.clients / statistics.fmean(self.seconds) if self.seconds else 0.0

    def milliseconds(self, percent: float) -> float:
        """Return a percentile, from 0 to 100, of the time of a request in milliseconds."""
        return float(np.percentile(self.seconds, percent)) * 1e3 if self.seconds else float("nan")


def make_texts(kind: str, seed: int = 0) -> list[str]:
    """Return POOL texts. `short`: 20 to 46 running words, about 50 tokens. `long`: 3,000 to 8,000 characters."""
    source = [json.loads(line)["text"] for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    chance = random.Random(f"{kind} {seed}")
    texts = []
    for _ in range(POOL):
        if kind == "short":
            words = chance.choice(source).split()
            start, count = chance.randrange(max(1, len(words) - 20)), chance.randint(20, 46)
            texts.append(" ".join(words[start : start + count]))
        else:
            texts.append("\n\n".join(chance.sample(source, 30))[: chance.randint(3_000, 8_000)])
    return texts


def make_body(texts: Sequence[str]) -> bytes:
    """Return the body of a request to /score."""
    return json.dumps({"documents": [{"id": str(row), "text": text} for row, text in enumerate(texts)]}).encode()


async def drive(url: str, bodies: Sequence[bytes], clients: int, seconds: float, *, settle: float = SETTLE) -> Load:
    """Send requests of `clients` clients for `settle` + `seconds`, and until every request that counts is answered.

    On average at least two requests of each client count, even if that takes longer.
    """
    load = Load(clients)
    begin = time.perf_counter() + settle
    end = begin + seconds
    begun = waited_for = 0

    async def client(number: int) -> None:
        nonlocal begun, waited_for
        order = random.Random(number).sample(bodies, len(bodies))
        started, turn = time.perf_counter(), 0
        # A client whose own requests are answered continues, so that the load on the others stays the same.
        while started < end or begun < 2 * clients or waited_for:
            counts = begin <= started and (started < end or begun < 2 * clients)
            begun += counts
            waited_for += counts
            good = False
            try:
                async with session.post(f"{url}/score", data=order[turn % len(order)]) as response:
                    answers = await response.json()
                    good = response.status == 200
            except (aiohttp.ClientError, TimeoutError):
                pass
            now = time.perf_counter()
            waited_for -= counts
            if good:
                load.answered += 1
                load.documents += len(answers)
                if counts:
                    load.seconds.append(now - started)
            else:
                load.errors += 1
                await asyncio.sleep(0.05)
            started, turn = time.perf_counter(), turn + 1

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=120),
        headers={"Content-Type": "application/json"},
    ) as session:
        await asyncio.gather(*(client(number) for number in range(clients)))
    return load


async def soak(url: str, seconds: float, clients: int) -> dict[str, Any]:
    """Put load of mixed sizes on a server, and record the resident memory of its processes in MiB once a second."""
    chance = random.Random(0)
    texts = [*make_texts("short"), *make_texts("long")]
    bodies = [make_body(chance.sample(texts, chance.randint(1, 8))) for _ in range(1_024)]
    server = psutil.Process().children(recursive=True)
    memory: list[float] = []

    async def watch() -> None:
        while True:
            memory.append(sum(process.memory_info().rss for process in server) / 2**20)
            await asyncio.sleep(1)

    watcher = asyncio.create_task(watch())
    try:
        load = await drive(url, bodies, clients, seconds, settle=0)
    finally:
        watcher.cancel()
    return {
        "seconds": seconds,
        "clients": clients,
        "requests": load.answered,
        "documents": load.documents,
        "errors": load.errors,
        "memory_mib": {
            "start": memory[0],
            "median": statistics.median(memory),
            "max": max(memory),
            "end": memory[-1],
            "each_second": memory,
        },
    }
