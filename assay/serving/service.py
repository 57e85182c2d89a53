"""The BentoML service. It merges requests into batches, which `assay.inference` reads by a budget of tokens.

The entry module that `build_bento` writes into a Bento calls `make_service`. This module holds what BentoML must know
(model, endpoints, timeout); the rest is in `middleware` and `assayer`.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import bentoml
from starlette.requests import Request
from starlette.responses import Response

from assay.serving.batcher import Batcher
from assay.serving.documents import Document, RefusedError
from assay.serving.log import LOG, throttle_logs
from assay.serving.middleware import PARSED, Gate, refused, reply
from assay.serving.owner import end_with_owner, owned, raise_open_files
from assay.serving.score_log import LOG_SECONDS, open_log
from assay.serving.settings import PROCESS, ServeSettings


class _Input(bentoml.IODescriptor):
    """Pass on what the middleware has parsed. BentoML would parse the body again, and repeat it in its errors."""

    __root_input__: ClassVar[bool] = True

    @classmethod
    async def from_http_request(cls, request: Request, *_: Any) -> Any:
        return request.scope[PARSED]


class _Output(bentoml.IODescriptor):
    """Answers as JSON. A None among them is a failure, already logged, and makes the answer a 500."""

    @classmethod
    async def to_http_response(cls, answer: Any, *_: Any) -> Response:
        if answer is None or (isinstance(answer, list) and None in answer):
            return refused(RefusedError(500, "an error of the server; its log says more"))
        return reply(200, answer)


def make_service(model: str, version: str) -> Any:
    """Return the bentoml.Service of one model in a Bento: `model` is its tag, `version` its name in the registry.

    Settings are read from the environment. Raise InputError if one cannot be used.
    """
    settings = ServeSettings.read(os.environ)

    class QualityService:
        """Score the quality of documents by the rubric of the model."""

        stored = bentoml.models.BentoModel(model)

        def __init__(self) -> None:
            # Imported here, because the supervising process also imports this module, and needs no torch.
            from assay.serving.assayer import Assayer

            # One thread runs the model: two forward passes at once would only share the cores.
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
            self.assayer = Assayer(Path(self.stored.path), version, settings.backend)
            # A batch of scores waits for one explanation at most, however many there are.
            turns = asyncio.Lock()
            self._scores = Batcher(self.assayer.score, self._pool, turns=turns)
            self._explanations = Batcher(self.assayer.explain, self._pool, most=1, turns=turns)
            self._log = open_log(settings, self.assayer)
            end_with_owner()
            raise_open_files()
            throttle_logs()
            if not settings.guarded and not settings.platform and not owned():
                LOG.warning("no token is set: whoever reaches this service may use it")
            # In the background, so that probes are answered while the model loads.
            self._pool.submit(self.assayer.prepare)

        @bentoml.on_shutdown
        def end(self) -> None:
            if self._log:
                self._log.close(LOG_SECONDS)

        @bentoml.api(input_spec=_Input, output_spec=_Output)
        async def score(self, documents: list[Document]) -> list[dict[str, Any] | None]:
            answers = await self._scores.submit(documents)
            self.assayer.metrics.answered(answers)
            return answers

        @bentoml.api(input_spec=_Input, output_spec=_Output)
        async def explain(self, document: Document) -> dict[str, Any] | None:
            return (await self._explanations.submit([document]))[0]

    service = bentoml.service(
        name=model.split(":")[0],
        workers=1,
        envs=[{"name": name, "value": value} for name, value in PROCESS.items()],
        # Above the limit of the middleware, which answers 504 first.
        traffic={"timeout": settings.seconds + 5},
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
    )(QualityService)
    service.add_asgi_middleware(Gate, settings=settings, assayer=lambda: bentoml.get_current_service().assayer)
    return service
