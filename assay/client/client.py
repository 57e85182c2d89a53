"""Score documents with a service.

    with Client("https://scores.example.org", token=…) as client:
        answers = client.score(["a text", {"id": "7", "text": "another one"}])

A call is split into requests. A request that failed in a way that may pass is sent again. Answers come in the order of
the documents.
"""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType

import httpx

from assay.client.policy import PASSING, Answers, Batching, CallError, Document, Retries, as_documents, checked
from assay.client.transports import Http, Reply, SageMaker, Vertex, read_reply

Place = str | Http | Vertex | SageMaker


class _Common:
    """What both clients share."""

    def __init__(
        self,
        place: Place,
        *,
        token: str = "",
        timeout: float = 90.0,
        batching: Batching | None = None,
        retries: Retries | None = None,
    ) -> None:
        """`place`: URL of a service on this machine or in a cluster, or a `SageMaker` or `Vertex` endpoint.

        `token`: bearer token of the service at a URL. `timeout`: seconds for each wait of one try, above the service's
        own limit of 60. Raise InputError if the URL is none.
        """
        self._place = Http(place, token) if isinstance(place, str) else place
        self._batching, self._retries = batching or Batching(), retries or Retries()
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, 10.0))

    def _next(self, reply: Reply, tried: int) -> float:
        """Return the pause before the next try. Raise CallError if there is none."""
        passing = reply.status == 0 or reply.status in PASSING
        pause = self._retries.pause(tried, reply.retry_after) if passing else None
        if pause is not None:
            return pause
        status = f"status {reply.status}: " if reply.status else ""
        fix = {401: "Give a valid token", 403: "Give a valid token", 413: "Make the requests or texts smaller"}
        times = f" {tried} times" if tried > 1 else ""
        raise CallError(
            f"the documents were not scored{times}: {status}{reply.content}",
            where=self._place.where,
            status=reply.status,
            tries=tried,
            fix=fix.get(reply.status, ""),
        )


class Client(_Common):
    """See the module. One client may be used by several threads."""

    def __enter__(self) -> "Client":
        self._http = httpx.Client(timeout=self._timeout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def score(self, documents: Sequence[str | Document]) -> Answers:
        """Return one answer a document, in order. Raise CallError if a request fails after all tries."""
        answers: Answers = []
        for batch in self._batching.split(as_documents(documents)):
            answers += self._request(batch)
        return answers

    def _request(self, batch: Sequence[Document]) -> Answers:
        tried = 0
        while True:
            reply = self._send(batch)
            tried += 1
            if reply.status == 200:
                return checked(reply.content, batch, self._place.where)
            time.sleep(self._next(reply, tried))

    def _send(self, batch: Sequence[Document]) -> Reply:
        if isinstance(self._place, SageMaker):
            return self._place.send(batch)
        place = self._place
        try:
            return read_reply(place, self._http.post(place.where, json=place.body(batch), headers=place.headers))
        except httpx.TransportError as error:
            return Reply(0, str(error) or type(error).__name__)


class AsyncClient(_Common):
    """The same for asyncio, with several requests at one time."""

    def __init__(self, place: Place, *, at_once: int = 8, **settings: object) -> None:
        """`at_once`: most requests at one time. Others as `Client`."""
        super().__init__(place, **settings)  # type: ignore[arg-type]
        self._at_once = at_once

    async def __aenter__(self) -> "AsyncClient":
        self._http = httpx.AsyncClient(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def score(self, documents: Sequence[str | Document]) -> Answers:
        """Return one answer a document, in order. Raise CallError if a request fails after all tries."""
        room = asyncio.Semaphore(self._at_once)

        async def one(batch: Sequence[Document]) -> Answers:
            async with room:
                return await self._request(batch)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(batch)) for batch in self._batching.split(as_documents(documents))]
        except* CallError as failed:
            # One error, as of `Client`; the other requests were cancelled.
            raise next(each for each in failed.exceptions if isinstance(each, CallError)) from None
        return [answer for task in tasks for answer in task.result()]

    async def _request(self, batch: Sequence[Document]) -> Answers:
        tried = 0
        while True:
            reply = await self._send(batch)
            tried += 1
            if reply.status == 200:
                return checked(reply.content, batch, self._place.where)
            await asyncio.sleep(self._next(reply, tried))

    async def _send(self, batch: Sequence[Document]) -> Reply:
        place = self._place
        if isinstance(place, SageMaker):
            return await asyncio.to_thread(place.send, batch)  # boto3 is not asynchronous
        headers = await asyncio.to_thread(lambda: place.headers)  # google-auth may call a server
        try:
            return read_reply(place, await self._http.post(place.where, json=place.body(batch), headers=headers))
        except httpx.TransportError as error:
            return Reply(0, str(error) or type(error).__name__)
