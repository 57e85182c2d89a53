"""The BentoML service: requests merged into batches outside, token-budget batches of `assay.inference` inside.

The entry module that `build_bento` writes into a Bento calls `make_service`; what BentoML needs to know of it (its
model, endpoints, batching) stands here, the rest in `gate` and `assayer`.
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
from assay.serving.middleware import ASKED, Gate, refused, reply
from assay.serving.owner import end_with_owner
from assay.serving.score_log import LOG_SECONDS, open_log
from assay.serving.settings import PROCESS, ServeSettings


class _Input(bentoml.IODescriptor):
    """What the gate has read and checked, as it is: BentoML would parse it again, and echo it in its errors."""

    __root_input__: ClassVar[bool] = True

    @classmethod
    async def from_http_request(cls, request: Request, *_: Any) -> Any:
        return request.scope[ASKED]


class _Output(bentoml.IODescriptor):
    """JSON of answers; None among them is an error that was logged where it arose."""

    @classmethod
    async def to_http_response(cls, answer: Any, *_: Any) -> Response:
        if answer is None or (isinstance(answer, list) and None in answer):
            return refused(RefusedError(500, "an error of the server; its log says more"))
        return reply(200, answer)


def make_service(model: str, version: str) -> Any:
    """The bentoml.Service of one model in a Bento: `model` is its tag, `version` its name in the registry.

    Settings are read from the environment. Raises InputError where one cannot be used.
    """
    settings = ServeSettings.read(os.environ)

    class QualityService:
        """Scores documents: how much they are worth reading, by the rubric of the model."""

        stored = bentoml.models.BentoModel(model)

        def __init__(self) -> None:
            # Imported here: the process that only watches over this one needs no torch.
            from assay.serving.assayer import Assayer

            # One thread asks the model for everything: two forward passes at once would only share the cores.
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
            self.assayer = Assayer(Path(self.stored.path), version)
            self._batcher = Batcher(self.assayer.score, self._pool)
            self._log = open_log(settings, self.assayer)
            end_with_owner()
            # Probes are answered meanwhile.
            self._pool.submit(self.assayer.prepare)

        @bentoml.on_shutdown
        def end(self) -> None:
            if self._log:
                self._log.close(LOG_SECONDS)

        @bentoml.api(input_spec=_Input, output_spec=_Output)
        async def score(self, documents: list[Document]) -> list[dict[str, Any] | None]:
            return await self._batcher.ask(documents)

        @bentoml.api(input_spec=_Input, output_spec=_Output)
        async def explain(self, document: Document) -> dict[str, Any] | None:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self.assayer.explain, document)

    service = bentoml.service(
        name=model.split(":")[0],
        workers=1,
        envs=[{"name": name, "value": value} for name, value in PROCESS.items()],
        # Above the gate's own, which is to act.
        traffic={"timeout": settings.seconds + 5},
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
    )(QualityService)
    service.add_asgi_middleware(Gate, settings=settings, assayer=lambda: bentoml.get_current_service().assayer)
    return service
