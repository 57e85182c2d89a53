"""A real Prometheus with the real server under load: it scrapes, records, answers the dashboard, and alerts."""

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.serving import Bento, ServerProcess, ask

PLACE = Path(__file__).resolve().parents[3] / "infra" / "monitoring"
TOKEN = "token-of-the-scraper"
PATIENCE = 120

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not on the PATH: install Debian's package prometheus"
    ),
]


@contextlib.contextmanager
def prometheus(target: str, folder: Path) -> Iterator[str]:
    """Run Prometheus and yield its URL. The rules are the shipped ones, but alerts wait two seconds, not minutes."""
    rules = yaml.safe_load((PLACE / "rules.yaml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        if "alert" in rule:
            rule["for"] = "2s"
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    scrape = {
        "job_name": "assay",
        "authorization": {"type": "Bearer", "credentials": TOKEN},
        "static_configs": [{"targets": [target]}],
    }
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(30)


def fetch(url: str, path: str, **query: str) -> Any:
    status, answer = ask(url, f"/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=30)
    if status != 200:  # as long as it starts
        raise ConnectionError(f"{status} {answer}")
    return answer["data"]


def value(url: str, expression: str) -> float | None:
    found = fetch(url, "query", query=expression)["result"]
    return float(found[0]["value"][1]) if found else None


def firing(url: str) -> dict[str, dict]:
    return {each["labels"]["alertname"]: each for each in fetch(url, "alerts")["alerts"] if each["state"] == "firing"}


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_prometheus_reads_the_server_under_load_and_an_alert_fires(bento: Bento, tmp_path: Path) -> None:
    documents = [{"id": str(n), "text": "Plants turn light into sugar. " * (1 + n % 40)} for n in range(16)]
    empty = [{"id": f"e{n}", "text": ""} for n in range(16)]
    enough, stop = threading.Event(), threading.Event()
    settings = {"ASSAY_SERVE_METRICS_TOKENS": TOKEN, "ASSAY_SERVE_LOG": str(tmp_path / "log of scores")}
    with ServerProcess(bento.path, environment=settings) as server:

        def load() -> None:
            while not enough.is_set():
                server.ask("/score", {"documents": documents})

        def bad_load() -> None:
            while not stop.is_set():
                server.ask("/score", {"documents": empty})

        threads = [threading.Thread(target=load) for _ in range(2)]
        with prometheus(f"{server.host}:{server.port}", tmp_path) as url:
            try:
                for thread in threads:
                    thread.start()
                until(lambda: (value(url, "assay:documents:rate5m") or 0) > 0)
                assert value(url, 'up{job="assay"}') == 1
                assert value(url, "assay_ready") == 1
                assert fetch(url, "query", query="assay_model_info")["result"][0]["metric"]["version"] == bento.version
                until(lambda: (value(url, "assay:score_seconds:p95_5m") or 0) > 0)
                assert "AssayUnscored" not in firing(url)
                for panel in json.loads((PLACE / "dashboard.json").read_text())["panels"]:
                    for target in panel["targets"]:
                        expression = target["expr"].replace("$job", "assay").replace("$__rate_interval", "1m")
                        assert until(lambda query=expression: fetch(url, "query", query=query)["result"]), expression

                enough.set()  # the alert is about a share, and on a fast machine good documents drown the empty ones
                threads.append(threading.Thread(target=bad_load))
                threads[-1].start()
                alert = until(lambda: firing(url).get("AssayUnscored"))
                assert alert["labels"]["severity"] == "warning"
                assert alert["annotations"]["runbook_url"] == "docs/operations.md#assayunscored"
                assert "get no score" in alert["annotations"]["summary"]
            finally:
                enough.set()
                stop.set()
                for thread in threads:
                    thread.join(PATIENCE)
            server.stop()
            gone = until(lambda: firing(url).get("AssayDown"))
            assert gone["labels"]["instance"] == f"{server.host}:{server.port}"
