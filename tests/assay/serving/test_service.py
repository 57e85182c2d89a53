"""The service over HTTP, from a Bento that runs as it is."""

import base64
import contextlib
import gzip
import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from assay.inference import REASONS, Scorer, assess
from assay.serving import ServerProcess, ServeSettings

MARKER = "Xyzzy-4711-Plugh"
"""Part of what is sent. It must never be in an answer or in the log."""
FIGURES = ["score", "calibrated", "p_keep", "grade", "keep"]
LIMITS = ServeSettings()


def documents(*texts: str) -> dict:
    return {"documents": [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]}


def raw(
    server: ServerProcess, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": "application/json"} | given)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_scores_are_those_of_the_evaluation_path(
    ask: Callable, server: ServerProcess, tiny_model: Any, sample: list[dict]
) -> None:
    rows = sample[100:140]
    expected = assess(Scorer.load(tiny_model), [row["text"] for row in rows]).table()

    status, answers = ask("/score", {"documents": [{"id": row["id"], "text": row["text"]} for row in rows]})

    assert status == 200
    assert [answer["id"] for answer in answers] == [row["id"] for row in rows]
    for name in ("score", "calibrated", "p_keep", "read"):
        np.testing.assert_allclose([answer[name] for answer in answers], expected[name].to_numpy(float), atol=1e-6)
    for name in ("grade", "keep", "tokens", "language", "in_scope"):
        assert [answer[name] for answer in answers] == expected[name].tolist(), name
    # Two texts may have one score in fp32; a constant would have passed all of the above.
    assert len({answer["score"] for answer in answers}) > len(rows) / 2
    assert {answer["reason"] for answer in answers} == {None}
    assert answers[0]["model"] == {
        "version": server.bento.version,
        "lineage": {"snapshot": "5" * 64, "run": "7" * 64},
    }


def test_any_text_gets_a_score_or_a_reason(ask: Callable) -> None:
    japanese = "植物は光と水から糖と酸素を作ります。これを光合成といいます。"
    texts = ["", " \n", "\x00\x01\x02", "\ud800", "word " * 1_000_000, "a\ud800b" * 40, japanese, "x"]

    status, answers = ask("/score", documents(*texts))

    assert status == 200
    reasons = ["no text", "no text", "damaged", "damaged", "too long", "damaged", None, None]
    assert [answer["reason"] for answer in answers] == reasons
    assert set(reasons) - {None} <= set(REASONS)
    for answer in answers:
        assert all((answer[name] is None) == (answer["reason"] is not None) for name in FIGURES)
    assert (answers[6]["language"], answers[6]["in_scope"]) == ("ja", False)
    status, (answer,) = ask("/score", documents("the same again " * 40_000))
    assert (status, answer["reason"]) == (200, "repetitive")


def test_ids_come_back_as_they_were_sent(ask: Callable) -> None:
    ids = ["a", "a", "", "\ud800\x00", "日本" * 500]

    status, answers = ask("/score", {"documents": [{"id": id, "text": "words"} for id in ids]})

    assert status == 200
    assert [answer["id"] for answer in answers] == ids
    np.testing.assert_allclose([answer["score"] for answer in answers], answers[0]["score"], atol=1e-6)


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ("", 400, []),
        ("{", 400, []),
        (f'{{"documents": "{MARKER}', 400, []),
        ("[" * 200_000, 400, []),
        ('{"documents": [' + "9" * 5_000 + "]}", 400, []),
        (b'{"documents": "\xff"}', 400, []),
        ('"\ufeff"', 400, []),
        (b'{"documents": [{"id": "a", "text": "a raw \0 NUL"}]}', 400, []),
        ("[]", 400, []),
        ("{}", 400, ["documents"]),
        (json.dumps({"documents": None}), 400, ["documents"]),
        (json.dumps({"documents": []}), 400, ["documents"]),
        (json.dumps({"documents": {"id": MARKER}}), 400, ["documents"]),
        (json.dumps({**documents("good"), MARKER: 1}), 400, []),
        (json.dumps({"documents": [{"id": "a", "text": "good"}, MARKER]}), 400, ["documents", 1]),
        (
            json.dumps({"documents": [*[{"id": "a", "text": MARKER}] * 3, {"id": MARKER}]}),
            400,
            ["documents", 3, "text"],
        ),
        (json.dumps({"documents": [{"id": 7, "text": MARKER}]}), 400, ["documents", 0, "id"]),
        (json.dumps({"documents": [{"id": "a", "text": [MARKER]}]}), 400, ["documents", 0, "text"]),
        (json.dumps({"documents": [{"id": "a", "text": None}]}), 400, ["documents", 0, "text"]),
        (json.dumps({"documents": [{"id": "a", "text": "good", MARKER: MARKER}]}), 400, ["documents", 0]),
        (json.dumps({"documents": [{"id": MARKER * 99, "text": "good"}]}), 400, ["documents", 0, "id"]),
        (json.dumps(documents(*["few"] * LIMITS.documents, "one more")), 413, ["documents"]),
        (json.dumps(documents("good", "x" * (LIMITS.characters + 1))), 413, ["documents", 1, "text"]),
        ("x" * (LIMITS.body_bytes + 1), 413, None),
    ],
)
def test_a_bad_body_is_refused_with_the_place_of_the_mistake_and_not_repeated(
    server: ServerProcess, keys: Any, body: str | bytes, status: int, place: list | None
) -> None:
    data = body if isinstance(body, bytes) else body.encode()

    got, headers, content = raw(server, "POST", "/score", data, Authorization=f"Bearer {keys.given}")

    answer = json.loads(content)
    assert (got, headers["Content-Type"]) == (status, "application/json")
    assert set(answer) == {"error", "detail"}
    assert [each["loc"] for each in answer["detail"][:1]] == ([] if place is None else [place])
    assert MARKER.encode() not in content
    assert len(content) < 4_000


def test_a_body_that_is_announced_too_large_is_refused_unread(server: ServerProcess, keys: Any) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.putrequest("POST", "/score")
    connection.putheader("Authorization", f"Bearer {keys.given}")
    connection.putheader("Content-Length", str(10**15))
    connection.endheaders()

    assert connection.getresponse().status == 413
    connection.close()


def test_a_document_of_thirty_megabytes_is_refused_also_without_its_length(server: ServerProcess, keys: Any) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    body = json.dumps(documents("thirty megabytes of this " * 1_200_000)).encode()
    pieces = (body[start : start + 2**16] for start in range(0, len(body), 2**16))
    headers = {"Authorization": f"Bearer {keys.given}", "Content-Type": "application/json"}

    with contextlib.suppress(ConnectionError):  # it may hang up before all is sent
        connection.request("POST", "/score", pieces, headers, encode_chunked=True)

    assert connection.getresponse().status == 413
    connection.close()
    assert server.ask("/readyz")[0] == 200


def test_other_pages_methods_and_types_are_refused(server: ServerProcess, keys: Any) -> None:
    access = {"Authorization": f"Bearer {keys.given}"}

    for path in ("/nothing", "/schema.json", "/static_content/index.html", "/score/submit", f"/{MARKER}", "//score"):
        assert raw(server, "GET", path, **access)[0] == 404, path
    status, headers, _ = raw(server, "GET", "/score", **access)
    assert (status, headers["Allow"]) == (405, "POST")
    assert raw(server, "POST", "/readyz", b"{}")[1]["Allow"] == "GET, HEAD"
    for kind in ("application/vnd.bentoml+pickle", "text/plain", "application/x-www-form-urlencoded"):
        assert raw(server, "POST", "/score", b"{}", Content_Type=kind, **access)[0] == 415, kind
    good = json.dumps(documents("good")).encode()
    assert raw(server, "POST", "/score", good, Content_Type="Application/JSON; charset=utf-8", **access)[0] == 200
    packed = gzip.compress(good)
    assert raw(server, "POST", "/score", packed, Content_Encoding="gzip", **access)[0] == 200
    assert raw(server, "POST", "/score", packed, Content_Encoding="br", **access)[0] == 415


def test_everything_but_probes_requires_a_token(server: ServerProcess, keys: Any) -> None:
    def status(path: str, authorization: str = "") -> int:
        return raw(server, "GET", path, Authorization=authorization)[0]

    def basic(password: str) -> str:
        return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()

    assert [status(path) for path in ("/livez", "/healthz", "/readyz")] == [200, 200, 200]
    for path in ("/", "/docs.json", "/score", "/explain", "/metrics", "/nothing"):
        for bad in ("", "Bearer", "Bearer wrong", f"Bearer {keys.given}x", basic("wrong"), "Basic ***", keys.given):
            assert status(path, bad) == 401, (path, bad)
    for good in (f"Bearer {keys.given}", f"bearer {keys.in_file}", basic(keys.given), basic(keys.in_file)):
        assert status("/", good) == 200
        assert status("/metrics", good) == 401, "metrics have their own tokens"
    assert status("/metrics", f"Bearer {keys.metrics}") == 200
    assert status("/", f"Bearer {keys.metrics}") == 401
    challenges = raw(server, "GET", "/")[1].get_all("WWW-Authenticate")
    assert [challenge.split()[0] for challenge in challenges] == ["Basic", "Bearer"]


def test_tokens_of_the_file_change_while_it_serves(server: ServerProcess, keys: Any) -> None:
    before, replaced = keys.file.read_text(), "token-that-was-replaced"
    try:
        keys.file.write_text(f"{replaced}\n")
        assert server.ask("/docs.json", token=replaced)[0] == 200
        assert server.ask("/docs.json", token=keys.in_file)[0] == 401
        assert server.ask("/docs.json", token=keys.given)[0] == 200

        keys.file.write_text(f"short\n{keys.in_file}\n")
        assert server.ask("/docs.json", token=replaced)[0] == 401, "it was revoked, whatever else the file holds"
        assert server.ask("/docs.json", token=keys.in_file)[0] == 200, "a mistake in a line concerns that line"
        assert server.ask("/docs.json", token="short")[0] == 401

        keys.file.unlink()
        assert server.ask("/docs.json", token=keys.in_file)[0] == 401, "without the file none of its tokens is valid"
        assert server.ask("/docs.json", token=keys.given)[0] == 200

        keys.file.write_text("# nobody\n")
        assert server.ask("/docs.json", token=replaced)[0] == 401
    finally:
        keys.file.write_text(before)
    assert server.ask("/docs.json", token=keys.in_file)[0] == 200


def test_metrics_count_what_was_answered(server: ServerProcess, ask: Callable, keys: Any, metric: Callable) -> None:
    names = {
        "assay_documents_total": 4,
        "assay_documents_read_in_part_total": 1,
        "assay_documents_out_of_scope_total": 1,
        'assay_documents_unscored_total{reason="no text"}': 1,
        "assay_score_count": 3,
        "assay_batch_documents_sum": 4,
        'assay_requests_total{route="/score",status="200"}': 1,
        'assay_requests_total{route="other",status="404"}': 2,
        'assay_request_seconds_count{route="/score"}': 1,
    }
    before = {name: metric(name) for name in names}
    tokens = metric("assay_tokens_total")
    read = metric("assay_tokens_read_total")

    german = "Der Satz handelt von Pflanzen, die aus Licht und Wasser Zucker machen, und ist auf Deutsch geschrieben."
    _, answers = ask("/score", documents("some words here", "", german, "many different words " * 60))
    ask(f"/{MARKER}")
    ask(f"/nothing/{MARKER}")

    assert {name: metric(name) - before[name] for name in names} == names
    gained = metric("assay_tokens_total") - tokens
    assert gained == sum(answer["tokens"] for answer in answers)
    assert 0 < metric("assay_tokens_read_total") - read < gained
    assert metric(f'assay_model_info{{version="{server.bento.version}"}}') == 1
    assert metric("assay_ready") == 1
    assert metric("assay_requests_in_work") == 0
    assert MARKER not in server.ask("/metrics", token=keys.metrics)[1]


def test_simultaneous_clients_get_their_own_answers(ask: Callable, tiny_model: Any, sample: list[dict]) -> None:
    rows = sample[140:200]
    expected = assess(Scorer.load(tiny_model), [row["text"] for row in rows]).score

    def one(number: int) -> tuple[int, list]:
        some = [(number + n) % len(rows) for n in range(1 + number % 3)]
        return ask("/score", {"documents": [{"id": str(row), "text": rows[row]["text"]} for row in some]})

    with ThreadPoolExecutor(24) as pool:
        results = list(pool.map(one, range(120)))

    for number, (status, answers) in enumerate(results):
        assert status == 200
        assert [int(answer["id"]) for answer in answers] == [(number + n) % len(rows) for n in range(1 + number % 3)]
        for answer in answers:
            assert answer["score"] == pytest.approx(expected[int(answer["id"])], abs=1e-5)


def test_an_explanation_shows_the_windows_that_made_the_score(ask: Callable) -> None:
    text = "🌱 Plants turn light into sugar. " + "Many more words follow, one after the other, until the end. " * 12

    status, answer = ask("/explain", {"text": text})

    _, (plain,) = ask("/score", documents(text))
    assert status == 200
    assert {name: answer[name] for name in answer if name not in ("windows", "rubric")} == {
        name: pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
        for name, value in plain.items()
        if name != "id"
    }
    windows = answer["windows"]
    assert np.mean([window["score"] for window in windows]) == pytest.approx(answer["score"], abs=1e-6)
    assert (len(windows), windows[0]["start"]) == (3, 0)
    assert text[windows[-1]["end"] :].strip() == ""
    assert all(one["end"] <= other["start"] for one, other in pairwise(windows))
    assert answer["rubric"] == {"name": "education", "low": 0, "high": 5, "threshold": 3.0} | {
        "keep_cut": answer["rubric"]["keep_cut"]
    }
    assert (answer["score"] >= answer["rubric"]["keep_cut"]) == answer["keep"]

    status, empty = ask("/explain", {"text": " "})
    assert (status, empty["reason"], empty["windows"]) == (200, "no text", [])
    assert ask("/explain", {"texts": "x"})[0] == 400
    assert ask("/explain", {"text": "x" * (LIMITS.characters + 1)})[0] == 413


def test_the_page_loads_nothing_from_elsewhere_and_labels_its_fields(server: ServerProcess, keys: Any) -> None:
    class Page(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.links: list[str] = []
            self.labels: set[str] = set()
            self.fields: set[str] = set()

        def handle_starttag(self, tag: str, attributes: list) -> None:
            given = dict(attributes)
            self.links += [given[name] for name in ("src", "href", "action") if name in given]
            if tag == "label":
                self.labels.add(given["for"])
            if tag in ("textarea", "input", "select"):
                self.fields.add(given["id"])

    status, headers, content = raw(server, "GET", "/", Authorization=f"Bearer {keys.given}")
    page = Page()
    page.feed(content.decode())

    assert (status, headers.get_content_type()) == (200, "text/html")
    assert page.links == []
    assert b"http://" not in content and b"https://" not in content
    assert page.fields and page.fields <= page.labels
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_no_text_that_was_sent_is_in_the_log(server: ServerProcess, ask: Callable, keys: Any) -> None:
    for content in (documents(f"{MARKER} good"), documents("x", f"{MARKER}\ud800\x00"), {MARKER: MARKER}):
        ask("/score", content)
    ask("/explain", {"text": f"{MARKER} explained"})
    ask(f"/{MARKER}?{MARKER}")
    raw(server, f"{MARKER}", "/score", b"{}", Authorization=f"Bearer {MARKER}")
    raw(server, "POST", "/score", MARKER.encode(), Authorization=f"Bearer {keys.given}")

    assert "POST /score 200 in" in server.log
    assert "POST /score 400 in" in server.log
    assert "GET other 404 in" in server.log
    assert "other /score 401 in" in server.log
    assert MARKER not in server.log
    assert "Traceback" not in server.log
    assert not any(token in server.log for token in (keys.given, keys.in_file, keys.metrics))
