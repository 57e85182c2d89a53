"""The resources for the Prometheus operator and Grafana match the service: both are rendered by kubectl."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from assay.serving import PREFIX

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "infra/monitoring"
OPERATOR = "monitoring.coreos.com/v1"
PROMETHEUS = {"app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": "main"}
"""Labels that the operator gives the pods of every Prometheus of its own."""


@cache
def rendered(folder: str) -> tuple[dict[str, Any], ...]:
    run = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "infra" / folder)], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr, run.stderr
    return tuple(yaml.safe_load_all(run.stdout))


def one(folder: str, kind: str) -> dict[str, Any]:
    (found,) = [each for each in rendered(folder) if each["kind"] == kind]
    return found


def service() -> dict[str, Any]:
    return one("kubernetes/overlays/prod", "Service")


def server() -> dict[str, Any]:
    (container,) = one("kubernetes/overlays/prod", "Deployment")["spec"]["template"]["spec"]["containers"]
    return container


def endpoint() -> dict[str, Any]:
    (found,) = one("monitoring", "ServiceMonitor")["spec"]["endpoints"]
    return found


def test_one_command_applies_all_of_it() -> None:
    kinds = {each["kind"]: each for each in rendered("monitoring")}

    assert set(kinds) == {"ServiceMonitor", "PrometheusRule", "ConfigMap"}
    assert {each["metadata"]["namespace"] for each in kinds.values()} == {service()["metadata"]["namespace"]}
    assert kinds["ServiceMonitor"]["apiVersion"] == kinds["PrometheusRule"]["apiVersion"] == OPERATOR
    kubernetes_validate.validate(kinds["ConfigMap"], "1.37", strict=True)
    known = {"port", "path", "interval", "scrapeTimeout", "authorization", "relabelings"}
    assert set(endpoint()) == known, "fields of an Endpoint of the operator"
    assert set(kinds["PrometheusRule"]["spec"]) == {"groups"}


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_the_monitor_finds_the_service_its_port_and_the_pods_behind_it(overlay: str) -> None:
    found = one(f"kubernetes/overlays/{overlay}", "Service")
    wanted = one("monitoring", "ServiceMonitor")["spec"]["selector"]["matchLabels"]

    assert wanted and wanted.items() <= found["metadata"]["labels"].items()
    (port,) = [port for port in found["spec"]["ports"] if port["name"] == endpoint()["port"]]
    assert port["targetPort"] in {each["name"] for each in server()["ports"]}
    others = [each for each in rendered(f"kubernetes/overlays/{overlay}") if each["kind"] == "Service"]
    assert len(others) == 1, "no other Service has the label, or its pods would be scraped twice"


def test_pods_and_prometheus_have_the_token_from_the_same_place() -> None:
    (given,) = [each for each in server()["env"] if each["name"] == f"{PREFIX}METRICS_TOKENS"]
    shown = endpoint()["authorization"]

    assert shown["type"] == "Bearer"
    place = {name: given["valueFrom"]["secretKeyRef"][name] for name in ("name", "key")}
    assert shown["credentials"] == place
    assert given["valueFrom"]["secretKeyRef"]["optional"], "the service also starts without Prometheus"
    made = f"create secret generic {place['name']} --from-literal={place['key']}="
    assert made in (MONITORING / "README.md").read_text(), "the way to make it"


def lets_in(policy: dict[str, Any], namespace: dict[str, str], pod: dict[str, str], port: str) -> bool:
    """Return True if a policy lets a pod in, by the rules of Kubernetes.

    Both selectors of a peer must match. Without a namespace selector, the pod must be in the policy's own namespace.
    """

    def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
        return selector.get("matchLabels", {}).items() <= labels.items()

    own = {"kubernetes.io/metadata.name": policy["metadata"]["namespace"]}
    for rule in policy["spec"]["ingress"]:
        if port in {each["port"] for each in rule["ports"]} and any(
            (matches(peer["namespaceSelector"], namespace) if "namespaceSelector" in peer else namespace == own)
            and matches(peer.get("podSelector", {}), pod)
            for peer in rule["from"]
        ):
            return True
    return False


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_the_network_lets_prometheus_in_and_no_other_pod(overlay: str) -> None:
    policy, port = one(f"kubernetes/overlays/{overlay}", "NetworkPolicy"), service()["spec"]["ports"][0]["targetPort"]
    monitoring, elsewhere = ({"kubernetes.io/metadata.name": name} for name in ("monitoring", "elsewhere"))

    assert lets_in(policy, monitoring, PROMETHEUS, port)
    assert not lets_in(policy, monitoring, {"app.kubernetes.io/name": "grafana"}, port)
    assert not lets_in(policy, elsewhere, PROMETHEUS, port)
    assert lets_in(policy, elsewhere | {"assay-client": "true"}, {}, port)


def test_the_name_of_the_job_matches_the_rules() -> None:
    (relabeling,) = endpoint()["relabelings"]
    name = relabeling["separator"].join(service()["metadata"][field] for field in ("namespace", "name"))

    assert relabeling["targetLabel"] == "job"
    assert relabeling["sourceLabels"] == ["__meta_kubernetes_namespace", "__meta_kubernetes_service_name"]
    assert name == "assay/assay-serving"
    assert 'up{job=~".*assay.*"}' in (MONITORING / "rules.yaml").read_text()


def test_the_rules_of_the_operator_are_those_of_the_file() -> None:
    made = subprocess.run([sys.executable, str(MONITORING / "prometheusrule.py")], capture_output=True, check=True)
    groups = one("monitoring", "PrometheusRule")["spec"]["groups"]
    source = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]

    assert (MONITORING / "prometheusrule.yaml").read_bytes() == made.stdout
    for rule in (rule for group in source for rule in group["rules"]):
        rule["expr"] = " ".join(rule["expr"].split())
    assert groups == source


def test_the_dashboard_of_the_sidecar_is_that_of_the_file() -> None:
    found = one("monitoring", "ConfigMap")

    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    ((name, content),) = found["data"].items()
    assert name.endswith(".json")
    assert json.loads(content) == json.loads((MONITORING / "dashboard.json").read_text())
