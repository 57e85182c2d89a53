"""Print the rules of `rules.yaml` as a resource of the Prometheus operator.

python infra/monitoring/prometheusrule.py > infra/monitoring/prometheusrule.yaml
"""

from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).with_name("rules.yaml")
HEAD = "# Made by `python infra/monitoring/prometheusrule.py` from rules.yaml, which is the one to change.\n"


def resource() -> dict[str, Any]:
    """Return a PrometheusRule with the same groups, and each expression on one line."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        rule["expr"] = " ".join(rule["expr"].split())
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "assay-serving"},
        "spec": rules,
    }


if __name__ == "__main__":
    print(HEAD + yaml.safe_dump(resource(), sort_keys=False, width=1_000), end="")
