"""Print the Grafana dashboard of the service as JSON.

    python infra/monitoring/dashboard.py > infra/monitoring/dashboard.json

Its users choose a Prometheus data source, and the job whose servers are shown.
"""

import json
from typing import Any

JOB = '{job="$job"}'
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 8, 8
"""Size of a panel, in Grafana's units; a row of the dashboard is 24 wide."""
PANELS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("Ready servers", "short", "stat", {"ready": f"sum(assay_ready{JOB})", "all": f"count(assay_ready{JOB})"}),
    ("Model", "short", "stat", {"{{version}}": f"count by (version) (assay_model_info{JOB})"}),
    ("Requests in progress", "short", "stat", {"in progress": f"sum(assay_requests_in_work{JOB})"}),
    ("Requests", "reqps", "timeseries", {"{{route}} {{status}}": f"assay:requests:rate5m{JOB}"}),
    (
        "Errors and refusals",
        "percentunit",
        "timeseries",
        {"errors": f"assay:errors:ratio5m{JOB}", "refused": f"assay:refused:ratio5m{JOB}"},
    ),
    (
        "Latency of /score",
        "s",
        "timeseries",
        {
            "median": 'histogram_quantile(0.5, sum by (le) (rate(assay_request_seconds_bucket{job="$job", '
            'route="/score"}[5m])))',
            "95 %": f"assay:score_seconds:p95_5m{JOB}",
        },
    ),
    ("Documents", "cps", "timeseries", {"documents": f"assay:documents:rate5m{JOB}"}),
    (
        "Documents in a batch, mean",
        "short",
        "timeseries",
        {"documents": f"rate(assay_batch_documents_sum{JOB}[5m]) / rate(assay_batch_documents_count{JOB}[5m])"},
    ),
    (
        "Time for a document, mean",
        "s",
        "timeseries",
        {"seconds": f"rate(assay_batch_seconds_sum{JOB}[5m]) / rate(assay_batch_documents_sum{JOB}[5m])"},
    ),
    ("Scores", "short", "heatmap", {"{{le}}": f"sum by (le) (increase(assay_score_bucket{JOB}[$__rate_interval]))"}),
    ("Share kept, last hour", "percentunit", "timeseries", {"kept": f"assay:kept:ratio1h{JOB}"}),
    (
        "Tokens read, out of scope, unscored: shares of the last hour",
        "percentunit",
        "timeseries",
        {
            "tokens read": f"assay:read:ratio1h{JOB}",
            "out of scope": f"assay:out_of_scope:ratio1h{JOB}",
            "unscored": f"assay:unscored:ratio1h{JOB}",
        },
    ),
    (
        "Documents read in part",
        "cps",
        "timeseries",
        {"documents": f"sum(rate(assay_documents_read_in_part_total{JOB}[5m]))"},
    ),
    (
        "Documents without a score",
        "cps",
        "timeseries",
        {"{{reason}}": f"sum by (reason) (rate(assay_documents_unscored_total{JOB}[5m]))"},
    ),
    ("Score log", "cps", "timeseries", {"{{outcome}}": f"sum by (outcome) (rate(assay_log_rows_total{JOB}[5m]))"}),
)
"""Title, unit, kind, and legend -> expression of each panel."""


def dashboard() -> dict[str, Any]:
    """Return the dashboard that Grafana imports."""
    return {
        "uid": "assay-service",
        "title": "Assay: the service",
        "tags": ["assay"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(), _job()]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _job() -> dict[str, Any]:
    query = "label_values(assay_ready, job)"
    return {"name": "job", "label": "Job", "type": "query", "datasource": SOURCE, "query": query, "refresh": 2}


def _panel(number: int, title: str, unit: str, kind: str, series: dict[str, str]) -> dict[str, Any]:
    across = 24 // WIDTH
    return {
        "id": number + 1,
        "title": title,
        "type": kind,
        "datasource": SOURCE,
        "gridPos": {"x": WIDTH * (number % across), "y": HEIGHT * (number // across), "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"calculate": False, "yAxis": {"unit": "short"}} if kind == "heatmap" else {},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend,
                **({"format": "heatmap"} if kind == "heatmap" else {}),
            }
            for place, (legend, expression) in enumerate(series.items())
        ],
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=2))
