"""Settings, tokens, bodies and batches, each tested separately."""

import asyncio
import base64
import itertools
import json
import logging
import pickle
import random
import string
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.serving import ServeSettings
from assay.serving.access import Tokens
from assay.serving.assayer import Assayer
from assay.serving.batcher import Batcher
from assay.serving.documents import RefusedError, parse_documents
from assay.serving.log import Throttle
from assay.serving.middleware import Gate

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["documents", "id", "text", "x"]), inner)
    ),
    max_leaves=12,
)
LIMITS = ServeSettings(documents=3, characters=40)


def test_settings_come_from_the_environment() -> None:
    settings = ServeSettings.read(
        {
            "ASSAY_SERVE_DOCUMENTS": " 7 ",
            "ASSAY_SERVE_SECONDS": "1.5",
            "ASSAY_SERVE_TOKENS": "a-first-token-of-ours, a-second-token-of-ours,",
            "ASSAY_SERVE_TOKENS_FILE": "",
            "ASSAY_SERVE_METRICS": "open",
            "ASSAY_SERVE_SERVICE_HOST": "10.0.0.1",
            "ASSAY_SERVE_PORT": "tcp://10.0.0.1:3000",
            "ASSAY_SERVE_PORT_3000_TCP_ADDR": "10.0.0.1",
            "OTHER": "x",
        }
    )

    assert (settings.documents, settings.seconds, settings.metrics) == (7, 1.5, "open")
    assert settings.tokens == ("a-first-token-of-ours", "a-second-token-of-ours")
    assert settings.tokens_file is None
    assert "a-first" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TOKEN", "a-good-token-of-ours", "no setting ASSAY_SERVE_TOKEN"),
        ("DOCUMENTS", "many", "ASSAY_SERVE_DOCUMENTS is 'many', which cannot be read: input should be a valid integer"),
        ("SECONDS", "soon", "ASSAY_SERVE_SECONDS is 'soon', which cannot be read: input should be a valid number"),
        ("DOCUMENTS", "0", "ASSAY_SERVE_DOCUMENTS is 0"),
        ("SECONDS", "nan", "ASSAY_SERVE_SECONDS is nan"),
        ("BODY_BYTES", "999999999", "less than one body"),
        ("BODY_SECONDS", "0", "ASSAY_SERVE_BODY_SECONDS is 0"),
        ("REQUIRE_TOKENS", "true", "ASSAY_SERVE_REQUIRE_TOKENS is set, and there is no token"),
        ("METRICS", "yes", "Give token, open or closed"),
        ("TOKENS", "secret", "ASSAY_SERVE_TOKENS, number 1"),
        ("METRICS_TOKENS", "a-good-token-of-ours,with a space in it", "ASSAY_SERVE_METRICS_TOKENS, number 2"),
    ],
)
def test_settings_that_cannot_be_used_are_named(name: str, value: str, complaint: str) -> None:
    with pytest.raises(InputError) as raised:
        ServeSettings.read({f"ASSAY_SERVE_{name}": value})

    assert complaint in str(raised.value)
    assert not name.endswith("TOKENS") or name == "REQUIRE_TOKENS" or value not in str(raised.value)


def test_a_file_of_tokens_must_hold_good_ones(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(InputError, match="cannot be read"):
        Tokens([], file)
    file.write_text("# none\n")
    with pytest.raises(InputError, match="holds no token"):
        Tokens([], file)
    file.write_text("a-good-token-of-ours\nshort\n")
    with pytest.raises(InputError, match=r"line 2"):
        Tokens([], file)


@given(st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=16, max_size=40), st.text(max_size=40))
def test_only_the_token_itself_is_admitted(token: str, other: str) -> None:
    tokens = Tokens([token, "another-token-of-them"])

    assert tokens.admit(f"Bearer {token}")
    assert tokens.admit(f"Bearer {other}") == (other.strip() in (token, "another-token-of-them"))
    assert not tokens.admit(token)
    assert not tokens.admit("")
    assert not Tokens([]).required


@pytest.fixture(scope="module")
def assayer(tiny_model: Path) -> Assayer:
    """An assayer whose model is not loaded yet."""
    return Assayer(tiny_model, "0123456789ab")


def answered(assayer: Assayer, settings: ServeSettings, method: str, path: str, token: str = "") -> httpx.Response:
    """Return the answer of the middleware alone, without endpoints."""

    async def ask() -> httpx.Response:
        async def nothing(*_: object) -> None:
            raise AssertionError("no request may reach an endpoint")

        gate = Gate(nothing, settings=settings, assayer=lambda: assayer)
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers={"Authorization": f"Bearer {token}"}, json={})

    return asyncio.run(ask())


def test_metrics_have_their_own_tokens(assayer: Assayer) -> None:
    own, theirs = "a-token-of-the-service", "a-token-of-the-scraper"

    def statuses(**settings: Any) -> list[int]:
        """Statuses without a token, with that of the service, with that of the scraper."""
        return [
            answered(assayer, ServeSettings(**settings), "GET", "/metrics", token).status_code
            for token in ("", own, theirs)
        ]

    assert statuses() == [200, 200, 200]
    assert statuses(tokens=(own,)) == [401, 200, 401]
    assert statuses(tokens=(own,), metrics_tokens=(theirs,)) == [401, 401, 200]
    assert statuses(metrics_tokens=(theirs,)) == [401, 401, 200]
    assert statuses(tokens=(own,), metrics="open", metrics_tokens=(theirs,)) == [200, 200, 200]
    assert statuses(tokens=(own,), metrics="closed", metrics_tokens=(theirs,)) == [404, 404, 404]
    assert "/metrics" not in answered(assayer, ServeSettings(metrics="closed"), "GET", "/docs.json").json()["paths"]


def test_while_the_model_loads_probes_answer_and_requests_are_refused(assayer: Assayer) -> None:
    ready = answered(assayer, ServeSettings(), "GET", "/readyz")
    score = answered(assayer, ServeSettings(), "POST", "/score")

    assert (ready.status_code, ready.headers["Retry-After"]) == (503, "2")
    assert ready.json() == {"state": "loading", "version": "0123456789ab"}
    assert (score.status_code, score.headers["Retry-After"]) == (503, "2")
    assert score.json() == {"error": "the model is not ready but loading", "detail": []}
    assert answered(assayer, ServeSettings(), "GET", "/livez").status_code == 200
    assert answered(assayer, ServeSettings(), "HEAD", "/readyz").status_code == 503


def pieces(value: object) -> list[str]:
    """Return the strings in a JSON value that are too long to be found by chance."""
    if isinstance(value, str):
        return [value] if len(value) > 7 else []
    if isinstance(value, dict):
        return [piece for key, inner in value.items() for piece in [*pieces(key), *pieces(inner)] if key != "documents"]
    return [piece for inner in value for piece in pieces(inner)] if isinstance(value, list) else []


@given(VALUES | st.builds(lambda rows: {"documents": rows}, st.lists(VALUES, max_size=5)))
def test_any_json_gives_documents_or_a_refusal_that_repeats_nothing(value: object) -> None:
    body = json.dumps(value).encode()
    try:
        documents = parse_documents(body, LIMITS, 0.0)
    except RefusedError as refusal:
        assert refusal.status in (400, 413)
        answer = json.dumps([refusal.error, *refusal.detail])
        assert not any(piece in answer for piece in pieces(value))
    else:
        assert isinstance(value, dict)
        assert [{"id": document.id, "text": document.text} for document in documents] == value["documents"]


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789eE+-.\\udx truefalsn').map(str.encode))
def test_any_bytes_give_documents_or_a_refusal(body: bytes) -> None:
    with pytest.raises(RefusedError):
        parse_documents(body, LIMITS, 0.0)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 20))
def test_batches_answer_every_item_once_and_hold_no_more_than_they_may(sizes: list[int], most: int) -> None:
    batches: list[int] = []

    def work(items: list[tuple[int, int]]) -> list[tuple[int, int]]:
        batches.append(len(items))
        return [(-request, -item) for request, item in items]

    async def all_at_once() -> list[list[tuple[int, int]]]:
        batcher = Batcher(work, pool, most=most)
        sent = [batcher.submit([(request, item) for item in range(size)]) for request, size in enumerate(sizes)]
        return await asyncio.gather(*sent)

    with ThreadPoolExecutor(1) as pool:
        answers = asyncio.run(all_at_once())

    assert answers == [[(-request, -item) for item in range(size)] for request, size in enumerate(sizes)]
    assert sum(batches) == sum(sizes)
    assert max(batches) <= most
    assert all(batch == most for batch in batches[:-1]), "a batch holds all that waits, up to its limit"


def test_requests_that_arrive_during_a_batch_are_merged_and_a_small_one_ends_before_a_large_one() -> None:
    busy, go, finished, batches = threading.Event(), threading.Event(), [], []

    def work(items: list[str]) -> list[str]:
        batches.append(list(items))
        busy.set()
        go.wait(60)
        return items

    async def scenario() -> None:
        batcher = Batcher(work, pool, most=16)

        async def ask(name: str, size: int) -> None:
            assert await batcher.submit([name] * size) == [name] * size
            finished.append(name)

        first = asyncio.create_task(ask("first", 1))
        await asyncio.to_thread(busy.wait, 60)
        others = [asyncio.create_task(ask(name, size)) for name, size in (("large", 90), ("a", 1), ("b", 2))]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, *others)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(scenario())

    assert batches[0] == ["first"]
    assert sorted(batches[1]) == ["a", "b", "b", *["large"] * 13]
    assert finished == ["first", "a", "b", "large"]


def test_an_error_reaches_the_requests_of_its_batch_and_no_other() -> None:
    def work(items: list[int]) -> list[int]:
        if any(item < 0 for item in items):
            raise RuntimeError("broken")
        return items

    async def scenario() -> None:
        batcher = Batcher(work, pool, most=4)
        numbers = [[random.randrange(9)] for _ in range(4)]
        results = await asyncio.gather(
            *(batcher.submit(each) for each in [*numbers, [-1] * 20]), return_exceptions=True
        )
        assert results[:4] == numbers
        assert isinstance(results[4], RuntimeError)
        assert await batcher.submit([5]) == [5]

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(scenario())


def test_the_batches_of_two_queues_alternate_and_work_that_nobody_waits_for_is_left_out() -> None:
    done: list[str] = []

    def work(items: list[str]) -> list[str]:
        done.extend(items)
        return items

    async def scenario() -> None:
        turns = asyncio.Lock()
        scores = Batcher(work, pool, most=2, turns=turns)
        explanations = Batcher(work, pool, most=1, turns=turns)
        slow = [asyncio.create_task(explanations.submit(["explain"])) for _ in range(6)]
        quick = [asyncio.create_task(scores.submit(["score"])) for _ in range(4)]
        gone = asyncio.create_task(scores.submit(["gone"]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(*slow, *quick)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(scenario())

    assert done[:6] == ["explain", "score", "score", "explain", "score", "score"]
    assert done[6:] == ["explain"] * 4


def test_a_flood_of_log_lines_is_cut_and_counted() -> None:
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    log = logging.Logger("flooded")
    log.addHandler(Kept())
    log.addFilter(Throttle(5))
    start = int(time.monotonic())
    while int(time.monotonic()) == start:
        pass  # a whole second begins
    for number in range(100):
        log.info("line %d", number)
    log.error("this is no line of the flood")
    assert written == [*(f"line {number}" for number in range(5)), "this is no line of the flood"]
    time.sleep(1.05)
    log.info("one more")
    assert written[-1] == "one more (95 lines left out before)"


def test_no_request_without_a_valid_token_passes_whatever_its_method_path_and_header(assayer: Assayer) -> None:
    token, metrics = "a-token-of-the-service", "a-token-of-the-scraper"
    settings = ServeSettings(tokens=(token,), metrics_tokens=(metrics,))
    near = [
        token[:-1],
        f"{token}x",
        token.upper(),
        f"{token}\x00",
        f"x {token}",
        f"{token},{token}",
        metrics,
        "",
        "null",
    ]
    offers = [f"{scheme} {each}" for scheme in ("Bearer", "Basic", "Token", "bearer bearer") for each in near]
    offers += [base64_basic(each) for each in (*near, f"{token}:x", f":{token}x")] + [token, f"Basic {token}", "Bearer"]
    paths = [
        "/",
        "/score",
        "/explain",
        "/docs.json",
        "/nothing",
        "/score/",
        "//score",
        "/SCORE",
        "/livez/../score",
        "/%73core",
    ]
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]

    async def ask() -> int:
        async def nothing(*_: object) -> None:
            raise AssertionError("no request may reach an endpoint")

        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(Gate(nothing, settings=settings, assayer=lambda: assayer)),
            base_url="http://test",
        )
        sent = 0
        async with client:
            for method, path, offer in itertools.product(methods, paths, offers):
                headers = {"Authorization": offer, "X-Forwarded-For": "127.0.0.1", "X-Original-URL": "/livez"}
                assert (await client.request(method, path, headers=headers)).status_code == 401, (method, path, offer)
                sent += 1
            assert (await client.get("/", headers={"Authorization": f"Bearer {token}"})).status_code == 200
        return sent

    assert asyncio.run(ask()) > 1_746


def base64_basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._file,)


def test_pickle_and_other_forms_are_never_decoded(assayer: Assayer, tmp_path: Path) -> None:
    file = tmp_path / "unpickled"
    planted = pickle.dumps(Planted(file))
    form = b'--x\r\nContent-Disposition: form-data; name="documents"\r\nContent-Type: application/x-pickle\r\n\r\n'
    bodies = [planted, form + planted + b"\r\n--x--\r\n", b"documents=" + planted]
    kinds = [
        *("application/vnd.bentoml+pickle", "application/octet-stream", "application/x-pickle", "text/plain"),
        *("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/vnd.apache.arrow.file"),
        *("application/json", "application/json; charset=pickle", ""),
    ]
    ready = Assayer(assayer._folder, assayer.version)
    ready.state = "ready"

    async def ask() -> set[tuple[str, int]]:
        async def nothing(*_: object) -> None:
            raise AssertionError("no request may reach an endpoint")

        gate = Gate(nothing, settings=ServeSettings(), assayer=lambda: ready)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://test") as client:
            return {
                (kind, (await client.post(path, content=body, headers={"Content-Type": kind})).status_code)
                for path, kind, body in itertools.product(("/score", "/explain"), kinds, bodies)
            }

    answers = asyncio.run(ask())
    assert {status for kind, status in answers if "json" not in kind and kind} == {415}
    assert {status for kind, status in answers if "json" in kind or not kind} == {400}
    assert not file.exists()
    pickle.loads(planted)
    assert file.exists(), "the planted body would have been noticed"
