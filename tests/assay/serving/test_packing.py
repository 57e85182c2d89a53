"""A body may be packed by gzip, within the limit of one that is not."""

import asyncio
import gzip
import json
import threading
from typing import Any

import pytest

from assay.serving import parsing
from assay.serving.documents import RefusedError
from assay.serving.packing import unpacked
from assay.serving.settings import ServeSettings

BODY = json.dumps({"documents": [{"id": "a", "text": "Plants turn light into sugar."}]}).encode()


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "GZIP", "x-gzip", "identity, gzip"])
def test_a_body_is_unpacked(encoding: str) -> None:
    assert unpacked(gzip.compress(BODY) if "gzip" in encoding.lower() else BODY, encoding, len(BODY)) == BODY


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        pytest.param(BODY, "br", 415, id="another packing"),
        pytest.param(gzip.compress(gzip.compress(BODY)), "gzip, gzip", 415, id="packed twice"),
        pytest.param(BODY, "utf-8", 415, id="no packing"),
        pytest.param(BODY, "gzip", 400, id="not packed"),
        pytest.param(gzip.compress(BODY)[:-9], "gzip", 400, id="cut off"),
        pytest.param(gzip.compress(BODY) + b"more", "gzip", 400, id="more behind it"),
        pytest.param(gzip.compress(bytes(50_000_000)), "gzip", 413, id="too large"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(RefusedError) as raised:
        unpacked(body, encoding, 1_000_000)

    assert raised.value.status == status
    assert (raised.value.headers == {"Accept-Encoding": "gzip"}) == (status == 415)


def test_bodies_are_unpacked_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small body may unpack to the largest one, and probes are answered meanwhile."""
    settings, threads = ServeSettings(), []

    def watched(*given: Any) -> bytes:
        threads.append(threading.current_thread())
        return unpacked(*given)

    monkeypatch.setattr(parsing, "unpacked", watched)

    async def run() -> list[bytes]:
        parser = parsing.Parser(settings)
        return [await parser.unpack(BODY, ""), await parser.unpack(gzip.compress(BODY), "gzip")]

    assert asyncio.run(run()) == [BODY, BODY]
    assert len(threads) == 1 and threads[0] is not threading.main_thread()
    bomb = gzip.compress(bytes(settings.body_bytes + 1))
    with pytest.raises(RefusedError, match="unpacks to more than"):
        asyncio.run(parsing.Parser(settings).unpack(bomb, "gzip"))
