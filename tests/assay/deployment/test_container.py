"""The containers' contracts of SageMaker and Vertex AI, against the process that the image runs as `serve`."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_versions import Versions, free_port

from assay.deployment.container import prepare
from assay.errors import InputError
from assay.serving.contracts import LINES, Contract
from assay.storage import upload_folder

Answer = tuple[int, str, bytes]


@contextmanager
def container(folder: Path, port: int, health: str, *options: str, **variables: str) -> Iterator[Callable[..., Answer]]:
    """Run the container's command until its health check passes. Yield a client."""
    log = folder / "log"
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-m", "assay.deployment.container", "serve", *options]

    def call(method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read()

    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + 120
            seen = set()
            while True:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                try:
                    status, _, _ = call("GET", health)
                    seen.add(status)
                    if status == 200:
                        break
                except OSError:
                    pass
                time.sleep(0.2)
            assert seen <= {200, 503}
            yield call
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def sagemaker(versions: Versions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Answer]]:
    root = tmp_path_factory.mktemp("ml")
    shutil.copytree(Path(versions.registry) / "versions" / versions.first / "model", root / "model")
    port = free_port()
    variables = {"SAGEMAKER_BIND_TO_PORT": str(port), "ASSAY_MODEL_VERSION": versions.first}
    with container(root / "tmp", port, "/ping", "--root", str(root), **variables) as call:
        yield call


def golden(versions: Versions, name: str) -> list[dict]:
    file = Path(versions.registry) / "versions" / name / "model/golden.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def asked(rows: list[dict]) -> list[dict]:
    return [{"id": row["id"], "text": row["text"]} for row in rows]


def test_sagemaker_gets_the_scores_of_the_evaluation_as_json_and_as_lines(
    sagemaker: Callable[..., Answer], versions: Versions
) -> None:
    rows = golden(versions, versions.first)
    expected = [row["score"] for row in rows]

    status, kind, body = sagemaker(
        "POST", "/invocations", json.dumps({"documents": asked(rows)}).encode(), Content_Type="application/json"
    )
    assert (status, kind) == (200, "application/json")
    answers = json.loads(body)
    assert [answer["score"] for answer in answers] == pytest.approx(expected, abs=1e-4)
    assert {answer["model"]["version"] for answer in answers} == {versions.first}

    lines = "\n".join(json.dumps(row) for row in asked(rows)).encode()
    status, kind, body = sagemaker("POST", "/invocations", lines, Content_Type="application/jsonlines")
    assert (status, kind) == (200, "application/jsonlines")
    assert [json.loads(line)["id"] for line in body.splitlines()] == [row["id"] for row in rows]
    assert [json.loads(line)["score"] for line in body.splitlines()] == pytest.approx(expected, abs=1e-4)

    status, kind, body = sagemaker(
        "POST", "/invocations", lines + b"\n\n", Content_Type=LINES[1], Accept="application/json"
    )
    assert (status, kind, len(json.loads(body))) == (200, "application/json", len(rows))


def test_batch_transform_gets_one_line_for_each_line(sagemaker: Callable[..., Answer]) -> None:
    status, _, body = sagemaker("GET", "/execution-parameters")
    assert (status, json.loads(body)["BatchStrategy"]) == (200, "SINGLE_RECORD")

    # What the service sends with SplitType Line and BatchStrategy SINGLE_RECORD, and joins with AssembleWith Line.
    rows = [{"id": str(number), "text": text} for number, text in enumerate(["Water boils.", "", "x" * 50])]
    answers = [
        sagemaker("POST", "/invocations", json.dumps(row).encode() + b"\n", Content_Type="application/jsonlines")
        for row in rows
    ]
    assert [status for status, _, _ in answers] == [200, 200, 200]
    joined = b"".join(body + b"\n" for _, _, body in answers)
    assert [json.loads(line)["id"] for line in joined.splitlines()] == ["0", "1", "2"]
    assert [json.loads(line)["reason"] for line in joined.splitlines()][1] == "no text"


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (b'{"id": "1", "text": "a"}\n{"id": "2"}', "application/jsonlines", 400, ["line", 2, "text"]),
        (b'{"id": "1", "text": "a"}\nMARKER', "application/jsonlines", 400, ["line", 2]),
        (b'{"id": "1", "text": "a"},{"id": "2", "text": "b"}', "application/jsonlines", 400, ["line", 1]),
        (b"\n\n", "application/jsonlines", 400, []),
        (b'{"id": "1", "text": "a"}\n' * 257, "application/jsonlines", 413, ["line", 257]),
        (b'{"documents": []}', "application/json", 400, ["documents"]),
        (b'{"instances": [{"id": "1", "text": "a"}]}', "application/json", 400, ["documents"]),
        (b"text", "text/csv", 415, None),
    ],
)
def test_a_bad_request_is_refused_as_everywhere_and_nothing_of_it_is_repeated(
    sagemaker: Callable[..., Answer], body: bytes, kind: str, status: int, says: list | None
) -> None:
    got, content, answer = sagemaker("POST", "/invocations", body, Content_Type=kind)

    assert (got, content) == (status, "application/json")
    refusal = json.loads(answer)
    assert b"MARKER" not in answer
    if says is not None:
        assert says in [each["loc"] for each in refusal["detail"]]


def test_the_routes_of_the_service_stay(sagemaker: Callable[..., Answer]) -> None:
    assert sagemaker("GET", "/readyz")[0] == 200
    assert sagemaker("GET", "/invocations")[0] == 405
    assert sagemaker("POST", "/predict", b"{}")[0] == 404


def test_vertex_gets_its_routes_its_port_and_the_model_of_cloud_storage(
    versions: Versions, gs: str, tmp_path: Path
) -> None:
    uri = f"{gs}/models/{versions.second}"
    upload_folder(Path(versions.registry) / "versions" / versions.second / "model", uri, last="golden.jsonl")
    port = free_port()
    variables = {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict",
        "AIP_STORAGE_URI": uri,
        "ASSAY_MODEL_VERSION": versions.second,
    }
    rows = golden(versions, versions.second)
    with container(tmp_path / "tmp", port, variables["AIP_HEALTH_ROUTE"], **variables) as call:
        body = {"instances": asked(rows), "parameters": {"ignored": 1}}
        status, kind, answer = call(
            "POST", variables["AIP_PREDICT_ROUTE"], json.dumps(body).encode(), Content_Type="application/json"
        )
        assert (status, kind) == (200, "application/json")
        predictions = json.loads(answer)["predictions"]
        assert [each["score"] for each in predictions] == pytest.approx([row["score"] for row in rows], abs=1e-4)
        assert {each["model"]["version"] for each in predictions} == {versions.second}
        status, _, answer = call(
            "POST", variables["AIP_PREDICT_ROUTE"], b'{"documents": []}', Content_Type="application/json"
        )
        assert (status, json.loads(answer)["detail"][0]["loc"]) == (400, ["instances"])


def test_a_container_without_the_right_model_does_not_start(versions: Versions, tmp_path: Path) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    with pytest.raises(InputError, match="there is no model"):
        prepare({}, tmp_path, scratch)
    root = tmp_path / "ml"
    shutil.copytree(Path(versions.registry) / "versions" / versions.first / "model", root / "model")
    with pytest.raises(InputError, match=f"this is not the model {versions.second}"):
        prepare({"ASSAY_MODEL_VERSION": versions.second}, root, scratch)
    with pytest.raises(InputError, match="SAGEMAKER_BIND_TO_PORT is 'x'"):
        prepare({"SAGEMAKER_BIND_TO_PORT": "x"}, root, scratch)
    with pytest.raises(InputError, match="AIP_STORAGE_URI is empty"):
        prepare({"AIP_HTTP_PORT": "8080"}, root, scratch)
    with pytest.raises(InputError, match=r"there is no model \(memory://nothing"):
        prepare({"AIP_STORAGE_URI": "memory://nothing/there"}, root, scratch)


def test_tokens_cannot_be_required_where_no_token_arrives() -> None:
    from assay.serving import ServeSettings

    with pytest.raises(InputError, match="passes no token on"):
        ServeSettings(platform="sagemaker", tokens=("0123456789abcdef",))
    with pytest.raises(InputError, match="ASSAY_SERVE_PLATFORM is 'moon'"):
        ServeSettings(platform="moon")
    with pytest.raises(InputError, match="ASSAY_SERVE_PREDICT_ROUTE"):
        ServeSettings(platform="vertex", predict_route="predict")


def test_answers_take_the_form_that_is_accepted() -> None:
    contract = Contract("sagemaker", "/ping", "/invocations")
    answers = b'[{"id": "1"}, {"id": "2"}]'

    assert contract.write("application/json", "*/*")(answers) == (answers, "application/json")
    assert contract.write("application/json", "application/jsonlines")(answers)[0] == b'{"id": "1"}\n{"id": "2"}'
