"""The ASGI middleware before the endpoints: access, routes, limits, timeout, metrics.

Only a request that was read, checked and admitted reaches an endpoint. A refusal has the form
`{"error": …, "detail": [{"loc": […], "msg": …}]}`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.serving.access import CHALLENGES, Tokens
from assay.serving.admission import Admission
from assay.serving.connection import Incoming, lingering
from assay.serving.contracts import PARAMETERS, contract_of, execution_parameters, rewriting
from assay.serving.documents import RefusedError, parse_documents, parse_text
from assay.serving.log import LOG, log_error
from assay.serving.openapi import describe
from assay.serving.parsing import Parse, Parser
from assay.serving.settings import ServeSettings

if TYPE_CHECKING:
    from assay.serving.assayer import Assayer

PARSED = "assay.parsed"
"""Key of the scope that holds the parsed body for the endpoint."""
ROUTES = {
    "/": "GET",
    "/score": "POST",
    "/explain": "POST",
    "/docs.json": "GET",
    "/metrics": "GET",
    "/livez": "GET",
    "/healthz": "GET",
    "/readyz": "GET",
}
# Names of other methods come from the client, and would end up in the log.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PROBES = ("/livez", "/healthz", "/readyz")
# Loading takes seconds; a model that failed stays failed until the server is started again.
NOT_READY = {"loading": {"Retry-After": "2"}, "failed": {"Retry-After": "60"}}
GONE = 499
"""Status in log and metrics of a request whose client hung up before its answer, as in nginx. Nobody receives it."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def reply(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer in ASCII: a lone surrogate in an id comes back as it was sent."""
    return Response(json.dumps(content).encode("ascii"), status, headers, "application/json")


class Gate:
    """The middleware. A process has one."""

    def __init__(self, app: ASGIApp, *, settings: ServeSettings, assayer: "Callable[[], Assayer]") -> None:
        """`assayer` is called with each request, because the model is opened after the middleware is built."""
        self._app = app
        self._settings = settings
        self._assayer = assayer
        self._tokens = Tokens(settings.tokens, settings.tokens_file)
        self._metrics_tokens = Tokens(settings.metrics_tokens) if settings.metrics_tokens else self._tokens
        self._admission = Admission(settings, lambda count: assayer().metrics.in_work.set(count))
        self._page = resources.files("assay.serving").joinpath("page.html").read_bytes()
        self._parser = Parser(settings)
        self._working: set[asyncio.Task[None]] = set()
        self._contract = contract_of(settings)
        self._routes = {**ROUTES, **(self._contract.routes if self._contract else {})}
        self._probes = (*PROBES, *((self._contract.health,) if self._contract else ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection. Websockets are closed."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, receive = time.monotonic(), Incoming(scope, receive)
        route = scope["path"] if scope["path"] in self._routes else "other"
        out = _Out(send)
        try:
            self._check(scope, route)
            if self._routes[route] == "POST":
                await self._answer(scope, receive, out, route, started + self._settings.seconds)
            else:
                await self._show(route)(scope, receive, out.send)
        except RefusedError as refusal:
            # A slow body was refused because it does not end: no use to wait for its rest.
            send = out.send if refusal.status == 408 else lingering(out.send, receive)
            await refused(refusal)(scope, receive, send)
        except Exception as error:
            log_error(f"error on {route}", error)
            # An answer that has begun cannot be replaced by another one.
            if not out.status:
                await refused(RefusedError(500, "an error of the server; its log says more"))(scope, receive, out.send)
        seconds = time.monotonic() - started
        self._assayer().metrics.requests.labels(route, str(out.status)).inc()
        self._assayer().metrics.seconds.labels(route).observe(seconds)
        if route not in self._probes and route != "/metrics":
            method = scope["method"] if scope["method"] in METHODS else "other"
            LOG.info("%s %s %d in %.1f ms", method, route, out.status, 1000 * seconds)

    def _check(self, scope: Scope, route: str) -> None:
        """Raise RefusedError if the token, the page or the method is not valid."""
        # The token comes first: without one, a client does not learn which pages exist.
        closed = route == "/metrics" and self._settings.metrics == "closed"
        is_open = route in self._probes or (route == "/metrics" and self._settings.metrics == "open")
        tokens = self._metrics_tokens if route == "/metrics" else self._tokens
        if tokens.required and not (is_open or closed or tokens.admit(_header(scope, b"authorization"))):
            raise RefusedError(401, "a token is needed: as Bearer, or as the password of Basic under any name")
        if closed or route == "other":
            raise RefusedError(404, "there is no such page")
        allowed = ("GET", "HEAD") if self._routes[route] == "GET" else ("POST",)
        if scope["method"] not in allowed:
            raise RefusedError(405, "this method is not allowed here", headers={"Allow": ", ".join(allowed)})

    def _show(self, route: str) -> Response:
        """Return a page that needs no scores."""
        assayer = self._assayer()
        if route == "/":
            return Response(self._page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})
        if route == "/docs.json":
            return reply(200, describe(self._settings, assayer.version, tokens=self._tokens.required))
        if route == "/metrics":
            return Response(assayer.metrics.exposition(), media_type="text/plain; version=0.0.4")
        if route == PARAMETERS:
            return reply(200, execution_parameters(self._settings))
        ready_only = route == "/readyz" or bool(self._contract and route == self._contract.health)
        if ready_only and assayer.state != "ready":
            return reply(503, {"state": assayer.state, "version": assayer.version}, NOT_READY[assayer.state])
        return reply(200, {"state": assayer.state, "version": assayer.version})

    async def _answer(self, scope: Scope, receive: Incoming, out: "_Out", route: str, until: float) -> None:
        """Work on one request. Answer 504 when its time is over, and stop when its client hangs up.

        The work is not cancelled after a 504, because a batch cannot be: it counts as being in work until it ends, and
        its answer is dropped. A client that hangs up gives its place back at once: a batch leaves out what still waits.
        """
        whole = asyncio.Event()
        task = asyncio.create_task(self._work(scope, receive, out.send, route, until, whole))
        gone = asyncio.create_task(_hung_up(receive, whole))
        # asyncio itself keeps only weak references: a task that nothing else holds may disappear before it ends.
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        left = max(0.0, until - time.monotonic())
        try:
            await asyncio.wait({task, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            hung_up = gone.done()
        finally:
            gone.cancel()
        if not task.done() and not out.status and hung_up:
            out.status = GONE
            task.add_done_callback(_forget)
            task.cancel()
            return
        if not task.done() and not out.status:
            task.add_done_callback(_forget)
            await out.close(refused(RefusedError(504, f"not done within {self._settings.seconds:g} seconds")), scope)
            return
        await task

    async def _work(
        self, scope: Scope, receive: Incoming, send: Send, route: str, until: float, whole: asyncio.Event
    ) -> None:
        """Read, parse and answer a request. `whole` is set when its body is complete."""
        if (state := self._assayer().state) != "ready":
            raise RefusedError(503, f"the model is not ready but {state}", headers=NOT_READY[state])
        kind = _header(scope, b"content-type").split(";")[0].strip().lower()
        explain, contract = route == "/explain", self._contract
        by_contract = contract is not None and route == contract.predict
        kinds = contract.kinds() if contract and by_contract else ("application/json", "")
        if kind not in kinds:
            raise RefusedError(415, f"the body must be {' or '.join(kinds[:1] + kinds[2:3])}")
        parse: Parse = parse_text if explain else parse_documents
        if contract and by_contract:
            parse = contract.parse(kind)
        self._admission.check(explain=explain)
        with self._admission.body() as body:
            data = await body.read(receive, _header(scope, b"content-length"))
            whole.set()
            received = data
            data = await self._parser.unpack(received, _header(scope, b"content-encoding"))
            if data is not received:
                body.hold(len(data))
            with self._admission.enter(explain=explain):
                scope[PARSED] = await self._parser.parse(parse, data, until)
                del data, received  # the documents hold the text: the body would double the memory while they wait
                if contract and by_contract:
                    send = rewriting(send, contract.write(kind, _header(scope, b"accept")))
                    scope = {**scope, "path": "/score", "raw_path": b"/score"}
                await self._app(scope, receive, send)


class _Out:
    """Send at most one answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._closed = False
        self.status = 0
        """Status of the answer that has begun; 0 before."""

    async def send(self, message: Message) -> None:
        if self._closed:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def close(self, response: Response, scope: Scope) -> None:
        """Send this answer, and drop whatever is sent later."""
        self._closed, self.status = True, response.status_code
        await response(scope, _nothing, self._send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _hung_up(receive: Incoming, whole: asyncio.Event) -> None:
    """Return when the client hangs up after its body. Before that, whoever reads the body notices it."""
    await whole.wait()
    await receive.gone()


def _forget(task: "asyncio.Task[None]") -> None:
    """Fetch and log the error of a task whose client has its answer: asyncio warns about errors never fetched."""
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, RefusedError):
        log_error("error after the time was over", error)


def refused(refusal: RefusedError) -> Response:
    """Return a refusal as an answer."""
    response = reply(refusal.status, {"error": refusal.error, "detail": list(refusal.detail)}, refusal.headers)
    if refusal.status == 401:
        for challenge in CHALLENGES:
            response.headers.append("WWW-Authenticate", challenge)
    return response


def _header(scope: Scope, name: bytes) -> str:
    """Return the first value of a header, or an empty text."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
