"""Rules, dashboard and runbook agree with each other and with the metrics of the server."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assay.inference import REASONS
from assay.serving.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "infra" / "monitoring"
NAME = re.compile(r"\bassay_[a-z_]+")
RECORDED = re.compile(r"\bassay:[a-z_0-9:]+")


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load((PLACE / "rules.yaml").read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = json.loads((PLACE / "dashboard.json").read_text())["panels"]
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.fixture
def exposed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of all samples on /metrics."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics = Metrics(low=0, high=5, reasons=tuple(REASONS))
    metrics.model("0" * 12, ready=True)
    metrics.requests.labels("/score", "200").inc()
    metrics.seconds.labels("/score").observe(0.1)
    lines = metrics.exposition().decode().splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


def test_the_dashboard_is_what_its_code_makes() -> None:
    made = subprocess.run([sys.executable, str(PLACE / "dashboard.py")], capture_output=True, text=True, check=True)

    assert (PLACE / "dashboard.json").read_text() == made.stdout
    panels = json.loads(made.stdout)["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len({panel["id"] for panel in panels}) == len(panels)


def test_every_metric_that_is_used_exists(exposed: set[str]) -> None:
    used = {name for expression in expressions() for name in NAME.findall(expression)}

    assert used - exposed == set()
    assert len(used) > 12
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for expression in expressions() for name in RECORDED.findall(expression)} <= recorded


def test_every_metric_of_the_server_is_used(exposed: set[str]) -> None:
    families = {re.sub(r"_(bucket|sum|count|created|total)$", "", name) for name in exposed}
    used = {re.sub(r"_(bucket|sum|count|total)$", "", name) for each in expressions() for name in NAME.findall(each)}

    # The judge of a canary reads some that no rule and no panel shows.
    judged = set(re.findall(r"assay_\w+?(?=_bucket|_total)", (ROOT / "assay/canary/traffic.py").read_text()))
    assert families == used | judged


def test_every_alert_has_a_severity_a_summary_and_a_runbook() -> None:
    runbook = (ROOT / "docs/operations.md").read_text().partition("\n## On each alert\n")[2]
    headings = {f"docs/operations.md#{heading.lower()}" for heading in re.findall(r"^### (\w+)$", runbook, re.M)}
    alerts = [rule for rule in rules() if "alert" in rule]
    tested = (PLACE / "rules_test.yaml").read_text()

    assert {rule["annotations"]["runbook_url"] for rule in alerts} == headings
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["for"]
        assert f"runbook_url: {rule['annotations']['runbook_url']}" in tested, "a test in which it fires"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH: install prometheus")
@pytest.mark.parametrize("command", [["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]])
def test_promtool_passes(command: list[str]) -> None:
    run = subprocess.run(["promtool", *command], cwd=PLACE, capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_operator_scrapes_the_path_that_the_server_serves() -> None:
    monitor = yaml.safe_load((PLACE / "servicemonitor.yaml").read_text())

    (endpoint,) = monitor["spec"]["endpoints"]
    assert (monitor["kind"], endpoint["path"]) == ("ServiceMonitor", "/metrics")
    assert endpoint["authorization"]["type"] == "Bearer"
