"""The manifests of the service: rendered by kubectl, valid by Kubernetes' own schemas, and safe."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dockerfile import stages

from assay.deployment.cluster import Cluster, KubernetesSettings
from assay.deployment.rollout import VERSION
from assay.errors import InputError
from assay.serving import ServeSettings

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "infra/kubernetes"
OVERLAYS = ("dev", "prod")
NEWEST = "1.37"


@cache
def rendered(overlay: str) -> tuple[dict[str, Any], ...]:
    command = ["kubectl", "kustomize", str(KUBERNETES / "overlays" / overlay)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "deprecated" not in run.stderr.lower(), run.stderr
    return tuple(yaml.safe_load_all(run.stdout))


def one(overlay: str, kind: str, name: str = "assay-serving") -> dict[str, Any]:
    (found,) = [each for each in rendered(overlay) if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pod(overlay: str) -> dict[str, Any]:
    return one(overlay, "Deployment")["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", ["1.31", NEWEST])
def test_every_object_is_valid_by_the_schemas_of_kubernetes(overlay: str, version: str) -> None:
    kinds = {each["kind"] for each in rendered(overlay)}
    assert {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"} <= kinds
    for each in rendered(overlay):
        kubernetes_validate.validate(each, version, strict=True)


def test_a_misspelt_field_would_be_seen() -> None:
    planted = yaml.safe_load(yaml.safe_dump(one("prod", "Deployment")))
    planted["spec"]["strategy"]["rollingUpdate"]["maxUnavailble"] = 0
    with pytest.raises(kubernetes_validate.ValidationError, match="maxUnavailble"):
        kubernetes_validate.validate(planted, NEWEST, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_bad_version_never_gets_requests_and_the_old_one_stays_until_then(overlay: str) -> None:
    spec = one(overlay, "Deployment")["spec"]
    (server,) = pod(overlay)["containers"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert server["livenessProbe"]["httpGet"]["path"] == "/livez", "a pod whose model fails is not restarted forever"
    assert spec["progressDeadlineSeconds"] < KubernetesSettings().within

    stop = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(overlay)["terminationGracePeriodSeconds"] >= stop + ServeSettings().seconds + 10


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_version_and_number_of_pods_are_left_to_others(overlay: str) -> None:
    spec = one(overlay, "Deployment")["spec"]
    assert "replicas" not in spec, "it is the autoscaler's; applying the manifests again would reset it"
    assert VERSION not in spec["template"]["metadata"].get("annotations", {}), "it is set by `assay deploy`"
    (fetch,) = pod(overlay)["initContainers"]
    (version,) = [each for each in fetch["env"] if each["name"] == "ASSAY_VERSION"]
    assert version["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.annotations['{VERSION}']"
    scaler = one(overlay, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "assay-serving"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_containers_have_no_rights_that_they_do_not_need(overlay: str) -> None:
    spec = pod(overlay)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    emptied = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
    for container in (*spec["initContainers"], *spec["containers"]):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container["volumeMounts"]} == emptied
        assert container["image"].startswith("assay-serving:") and not container["image"].endswith(":latest")
    namespace = one(overlay, "Deployment")["metadata"]["namespace"]
    labels = one(overlay, "Namespace", namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_of_the_pods_matches_them(overlay: str) -> None:
    labels = one(overlay, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = (
        one(overlay, "Deployment")["spec"]["selector"]["matchLabels"],
        one(overlay, "Service")["spec"]["selector"],
        one(overlay, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(overlay, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    )
    assert all(selector and selector.items() <= labels for selector in selectors)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_role_is_for_the_deployment_that_is_deployed(overlay: str) -> None:
    """kustomize adds a digest to generated names and to references to them."""
    rules = one(overlay, "Role", "assay-deployer")["rules"]
    assert rules[0]["resourceNames"] == [KubernetesSettings().name] == ["assay-serving"]
    assert rules[0]["verbs"] == ["get", "patch"]
    assert rules[1] == {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    source = Path(sys.modules[Cluster.__module__].__file__ or "").read_text()
    called = set(re.findall(r"\b(?:read|list|patch|create|delete|replace)_namespaced_\w+", source))
    assert called == {"read_namespaced_deployment", "patch_namespaced_deployment", "list_namespaced_pod"}


@pytest.mark.parametrize(("overlay", "domain"), [("dev", "development"), ("prod", "production")])
def test_tasks_of_the_domain_may_deploy_and_call_the_service(overlay: str, domain: str) -> None:
    subjects = one(overlay, "RoleBinding", "assay-deployer")["subjects"]
    groups = [subject["name"] for subject in subjects if subject["kind"] == "Group"]
    assert groups == [f"system:serviceaccounts:assay-{domain}"]
    allowed = one(overlay, "NetworkPolicy")["spec"]["ingress"][0]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"assay-{domain}"}}} in allowed["from"]
    assert allowed["ports"] == [{"port": "http"}]


def test_the_image_holds_the_code_that_the_containers_run() -> None:
    serve = stages()["serve"]
    copied = [each.split() for each in serve.all("COPY") if not each.startswith("--from=")]
    assert [source for source, _ in copied] == ["requirements.lock", "assay"]
    assert {str(Path(target).parent) for _, target in copied} == {"/opt/assay"}, "the lock is beside the code"
    assert serve.all("ENV") == ["PYTHONPATH=/opt/assay"]
    security = pod("prod")["securityContext"]
    assert serve.all("USER") == [f"{security['runAsUser']}:{security['runAsGroup']}"]


def test_the_overlay_for_production_does_not_start_without_tokens() -> None:
    """The Secret must exist there, and what it holds must include tokens."""
    (server,) = pod("prod")["containers"]
    given = {each["name"]: each["value"] for each in server["env"] if "value" in each}
    with pytest.raises(InputError, match="ASSAY_SERVE_REQUIRE_TOKENS is set, and there is no token"):
        ServeSettings.read(given)
    assert ServeSettings.read({**given, "ASSAY_SERVE_TOKENS": "a-token-of-the-clients"}).guarded
