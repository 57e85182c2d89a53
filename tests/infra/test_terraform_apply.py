"""The whole cloud on a moto server in the place of AWS: applied, checked, applied again, and destroyed."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate
import pytest
import yaml
from policy_findings import allows, findings, listed, statements
from terraform_runner import ROOT, copied, environment, initialised, moto, terraform

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

MOTO = """
# Only what moto 5.2 lacks. Nothing of it is in infra/terraform.
terraform {
  backend "local" {}
}

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  max_retries                 = 3
}

# moto has no CreateAddon, no CreateAccessEntry.
resource "aws_eks_addon" "network" {
  for_each = {}
}

resource "aws_eks_addon" "workload" {
  for_each = {}
}

# moto returns the name of an autoscaling group for a node group, and creates none.
resource "aws_autoscaling_group_tag" "node_template" {
  for_each = {}
}

# moto's clusters have no security group, and its rules have no description if they name a group.
resource "aws_vpc_security_group_ingress_rule" "database" {
  referenced_security_group_id = aws_security_group.database.id

  lifecycle {
    ignore_changes = [description]
  }
}

# moto accepts the following settings and does not return them, which would look like a change at the second apply. It
# also gives every node group an SSH key that was not requested, and counts the tags of a launch template among those of
# the resources that it creates.
resource "aws_eks_cluster" "this" {
  lifecycle {
    ignore_changes = [access_config, upgrade_policy, bootstrap_self_managed_addons]
  }
}

resource "aws_eks_node_group" "this" {
  lifecycle {
    ignore_changes = [scaling_config, remote_access, update_config]
  }
}

resource "aws_launch_template" "node" {
  lifecycle {
    ignore_changes = [tag_specifications]
  }
}

resource "aws_db_instance" "flyte" {
  lifecycle {
    ignore_changes = [performance_insights_enabled, performance_insights_kms_key_id]
  }
}

resource "aws_db_parameter_group" "this" {
  lifecycle {
    ignore_changes = [parameter]
  }
}
"""


class Cloud(NamedTuple):
    """The environment that was applied."""

    folder: Path
    endpoint: str
    resources: list[dict[str, Any]]
    outputs: dict[str, Any]

    def one(self, address: str) -> dict[str, Any]:
        """Return the values of a resource."""
        (found,) = [each["values"] for each in self.resources if each["address"] == address]
        return found


# A few at a time: if moto answers late, the provider sends the request again and finds what the first one created.
GITHUB = "token.actions.githubusercontent.com"
OPTIONS = ("-no-color", "-parallelism=6", "-var-file=environments/dev.tfvars", "-var=github_repository=owner/assay")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The environment dev, applied."""
    folder = copied(tmp_path_factory.mktemp("applied"))
    (folder / "moto_override.tf").write_text(MOTO)
    initialised(folder)
    with moto(folder / "moto.log") as endpoint:
        run = terraform(folder, "apply", "-auto-approve", *OPTIONS, endpoint=endpoint, within=900)
        assert run.returncode == 0, run.stdout[-5000:] + run.stderr
        shown = json.loads(terraform(folder, "show", "-json", endpoint=endpoint).stdout)["values"]
        outputs = {name: each["value"] for name, each in shown["outputs"].items()}
        yield Cloud(folder, endpoint, shown["root_module"]["resources"], outputs)


def test_a_second_apply_changes_nothing(cloud: Cloud) -> None:
    plan = terraform(cloud.folder, "plan", "-detailed-exitcode", *OPTIONS, endpoint=cloud.endpoint, within=600)
    assert plan.returncode == 0, plan.stdout[-5000:] + plan.stderr

    again = terraform(cloud.folder, "apply", "-auto-approve", *OPTIONS, endpoint=cloud.endpoint, within=600)
    assert "0 added, 0 changed, 0 destroyed" in again.stdout, again.stdout[-5000:] + again.stderr


def test_every_resource_is_tagged(cloud: Cloud) -> None:
    untagged = [
        each["address"]
        for each in cloud.resources
        if each["mode"] == "managed" and "tags_all" in each["values"] and each["values"]["tags_all"] is not None
        if not {"Project", "Environment", "ManagedBy"} <= set(each["values"]["tags_all"])
    ]
    assert untagged == []


def test_the_password_is_in_the_secret_and_nowhere_else(cloud: Cloud) -> None:
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
    client = boto3.client("secretsmanager", endpoint_url=cloud.endpoint, **keys)
    password = client.get_secret_value(SecretId=cloud.outputs["database_secret_arn"])["SecretString"]

    assert len(password) == 40 and password.isalnum()
    assert password not in (cloud.folder / "terraform.tfstate").read_text()


def test_no_role_has_rights_without_bounds_and_no_bucket_is_open(cloud: Cloud) -> None:
    assert len([each for each in cloud.resources if each["type"] == "aws_iam_role_policy"]) > 6
    assert findings(cloud.resources) == []


PLANTED = """
resource "aws_s3_bucket" "open" {
  bucket = "open"
}
resource "aws_s3_bucket_public_access_block" "open" {
  bucket            = "open"
  block_public_acls = true
}
resource "aws_iam_role" "anybody" {
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } },
      { Effect = "Allow", Action = "sts:AssumeRoleWithWebIdentity", Principal = { Federated = "arn:aws:iam::1:o/x" } },
    ]
  })
}
resource "aws_iam_role_policy" "anything" {
  role   = "anybody"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:*", Resource = "arn:aws:s3:::bucket/*" },
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = "*" },
      { Effect = "Allow", NotAction = "iam:*", Resource = "*" },
    ]
  })
}
"""


def test_rights_without_bounds_and_an_open_bucket_would_be_found(tmp_path: Path, cloud: Cloud) -> None:
    """Planted in a project of its own, planned by the real provider."""
    (tmp_path / "planted.tf").write_text(PLANTED)
    (tmp_path / "versions.tf").write_text((cloud.folder / "versions.tf").read_text().split("provider ")[0])
    (tmp_path / "moto_override.tf").write_text(MOTO.split("# moto has")[0])
    (tmp_path / "provider.tf").write_text('provider "aws" {}\n')
    (tmp_path / ".terraform.lock.hcl").write_text((cloud.folder / ".terraform.lock.hcl").read_text())
    initialised(tmp_path)
    run = terraform(tmp_path, "plan", "-out=plan", "-no-color", endpoint=cloud.endpoint)
    assert run.returncode == 0, run.stdout + run.stderr
    shown = json.loads(terraform(tmp_path, "show", "-json", "plan").stdout)

    found = findings(shown["planned_values"]["root_module"]["resources"])

    assert found == [
        "aws_iam_role.anybody: is trusted to everybody",
        "aws_iam_role.anybody: is trusted to every account of a cluster or a forge",
        "aws_iam_role_policy.anything: allows s3:*",
        "aws_iam_role_policy.anything: allows s3:GetObject on everything",
        "aws_iam_role_policy.anything: allows all but something",
        "bucket open: not TLS alone",
        "bucket open: not closed to the public",
        "bucket open: not encrypted",
        "bucket open: not lifecycle",
        "bucket open: not no ACLs",
        "bucket open: not versioned",
    ]


def test_a_task_has_its_prefix_and_nothing_else(cloud: Cloud) -> None:
    policy = cloud.one('aws_iam_role_policy.service_account["tasks"]')["policy"]
    bucket, key = f"arn:aws:s3:::{cloud.outputs['data_bucket']}", cloud.outputs["kms_key_arn"]
    by_s3 = {"kms_ViaService": "s3.eu-central-1.amazonaws.com"}

    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert allows(policy, action, f"{bucket}/assay/registry/x")
        assert not allows(policy, action, f"{bucket}/other/x")
        assert not allows(policy, action, f"{bucket}/assay-of-others/x")
        assert not allows(policy, action, "arn:aws:s3:::another/assay/x")
    assert allows(policy, "s3:ListBucket", bucket, s3_prefix="assay/scores/")
    assert not allows(policy, "s3:ListBucket", bucket, s3_prefix="")
    assert not allows(policy, "s3:DeleteBucket", bucket)
    assert not allows(policy, "s3:PutBucketPolicy", bucket)
    assert allows(policy, "kms:GenerateDataKey", key, **by_s3)
    assert not allows(policy, "kms:Decrypt", key), "only through S3"
    assert not allows(policy, "kms:Decrypt", cloud.outputs["platform_kms_key_arn"], **by_s3)
    assert {action.split(":")[0] for each in statements(policy) for action in listed(each["Action"])} == {"s3", "kms"}


def test_the_service_reads_the_registry_writes_its_log_and_nothing_else(cloud: Cloud) -> None:
    policy = cloud.one('aws_iam_role_policy.service_account["serving"]')["policy"]
    bucket = f"arn:aws:s3:::{cloud.outputs['data_bucket']}"

    assert allows(policy, "s3:GetObject", f"{bucket}/assay/registry/model/1/assay.json")
    assert not allows(policy, "s3:GetObject", f"{bucket}/assay/scores/x")
    assert not allows(policy, "s3:PutObject", f"{bucket}/assay/registry/x")
    assert allows(policy, "s3:PutObject", f"{bucket}/assay/score-log/2026-01-31/rows.parquet")
    assert not allows(policy, "s3:GetObject", f"{bucket}/assay/score-log/2026-01-31/rows.parquet")
    assert not allows(policy, "kms:GenerateDataKey", cloud.outputs["kms_key_arn"]), "only through S3"


def test_flyte_does_not_touch_the_registry(cloud: Cloud) -> None:
    policy = cloud.one('aws_iam_role_policy.service_account["flyte"]')["policy"]
    bucket = f"arn:aws:s3:::{cloud.outputs['data_bucket']}"

    assert allows(policy, "s3:PutObject", f"{bucket}/assay/metadata/admin/x")
    assert allows(policy, "s3:GetObject", f"{bucket}/assay/raw/x")
    assert not allows(policy, "s3:GetObject", f"{bucket}/assay/registry/x")


def test_a_role_is_for_its_service_account_alone(cloud: Cloud) -> None:
    for name, accounts in {
        "tasks": ["system:serviceaccount:assay-development:default"],
        "serving": ["system:serviceaccount:assay-dev:assay-serving"],
        "flyte": ["system:serviceaccount:flyte:flyte-binary"],
    }.items():
        (trust,) = statements(cloud.one(f'aws_iam_role.service_account["{name}"]')["assume_role_policy"])
        assert set(trust["Condition"]) == {"StringEquals"}, "no pattern"
        (subjects,) = [value for key, value in trust["Condition"]["StringEquals"].items() if key.endswith(":sub")]
        assert (subjects if isinstance(subjects, list) else [subjects]) == accounts


def test_workflows_of_the_repository_push_images_and_read_no_data(cloud: Cloud) -> None:
    push = cloud.one("aws_iam_role_policy.github_push[0]")["policy"]
    plan = cloud.one("aws_iam_role_policy.github_plan[0]")["policy"]
    subjects = {}
    for name in ("push", "plan"):
        (trust,) = statements(cloud.one(f'aws_iam_role.github["{name}"]')["assume_role_policy"])
        assert trust["Condition"]["StringEquals"] == {f"{GITHUB}:aud": "sts.amazonaws.com"}
        given = trust["Condition"]["StringLike"][f"{GITHUB}:sub"]
        subjects[name] = given if isinstance(given, list) else [given]

    assert allows(push, "ecr:PutImage", cloud.one('aws_ecr_repository.this["task"]')["arn"])
    assert not allows(push, "ecr:PutImage", "arn:aws:ecr:eu-central-1:123456789012:repository/other")
    assert not allows(push, "ecr:BatchDeleteImage", cloud.one('aws_ecr_repository.this["task"]')["arn"])
    assert not allows(plan, "s3:GetObject", f"arn:aws:s3:::{cloud.outputs['data_bucket']}/assay/x")
    assert subjects["push"] == ["repo:owner/assay:ref:refs/heads/main", "repo:owner/assay:ref:refs/tags/v*"]
    # A plan can read the database's password: no pull request gets the role, but an environment that reviewers approve.
    assert subjects["plan"] == ["repo:owner/assay:environment:plan-dev"]


def test_the_values_of_flyte_match_the_resources(cloud: Cloud) -> None:
    values = yaml.safe_load(cloud.outputs["helm_values"]["flyte-binary"])
    bucket, inline = cloud.outputs["data_bucket"], values["configuration"]["inline"]
    plugin = inline["plugins"]["k8s"]

    database = values["configuration"]["database"]
    assert database["host"] == cloud.one("aws_db_instance.flyte")["address"]
    assert database["options"] == "sslmode=require" and "password" not in database
    assert values["configuration"]["storage"]["metadataContainer"] == bucket
    assert inline["propeller"]["rawoutput-prefix"] == cloud.outputs["raw_data_prefix"] == f"s3://{bucket}/assay/raw"
    assert inline["flyteadmin"]["metadataStoragePrefix"] == ["assay", "metadata", "admin"]
    assert inline["server"]["dataProxy"]["upload"]["storagePrefix"] == "assay/uploads"
    assert {"ASSAY_REGISTRY": f"s3://{bucket}/assay/registry"} in plugin["default-env-vars"]
    (spot,) = plugin["interruptible-tolerations"]
    taints = {taint["key"]: taint for taint in cloud.one('aws_eks_node_group.this["gpu-l4-spot"]')["taint"]}
    assert taints[spot["key"]]["value"] == spot["value"]
    (tolerations,) = plugin["resource-tolerations"]  # a list of one map, or Flyte would take the dots of its key apart
    assert set(tolerations) == {plugin["gpu-resource-name"]} == {"nvidia.com/gpu"}
    labels = cloud.one('aws_eks_node_group.this["gpu-l4-spot"]')["labels"]
    assert labels[plugin["gpu-device-node-label"]] == "nvidia-l4"

    (domain,) = inline["cluster_resources"]["customData"]
    known = {name: each["value"] for entry in domain["development"] for name, each in entry.items()}
    assert known["defaultIamRole"] == cloud.outputs["task_role_arn"]
    for text in values["clusterResourceTemplates"]["inline"].values():
        for name, given in (known | {"namespace": "assay-development"}).items():
            text = text.replace("{{ " + name + " }}", given)
        assert "{{" not in text, "Flyte would leave it as it is"
        kubernetes_validate.validate(yaml.safe_load(text), "1.35", strict=True)


def test_the_values_of_prometheus_have_our_rules_and_monitors(cloud: Cloud) -> None:
    values = yaml.safe_load(cloud.outputs["helm_values"]["kube-prometheus-stack"])
    rules = yaml.safe_load((ROOT / "infra/monitoring/rules.yaml").read_text())

    assert values["additionalPrometheusRulesMap"] == {"assay": rules}
    assert values["prometheus"]["prometheusSpec"]["serviceMonitorSelectorNilUsesHelmValues"] is False
    (alarms,) = [each for each in values["alertmanager"]["config"]["receivers"] if each["name"] == "alarms"]
    assert alarms["sns_configs"][0]["topic_arn"] == cloud.outputs["alarm_topic_arn"]
    assert values["grafana"]["admin"]["existingSecret"] == "grafana-admin"


def test_the_values_of_operators_match_their_nodes(cloud: Cloud) -> None:
    gpus = yaml.safe_load(cloud.outputs["helm_values"]["gpu-operator"])
    scaler = yaml.safe_load(cloud.outputs["helm_values"]["cluster-autoscaler"])

    tolerated = {each["key"] for each in gpus["daemonsets"]["tolerations"]}
    assert tolerated == {taint["key"] for taint in cloud.one('aws_eks_node_group.this["gpu-l4-spot"]')["taint"]}
    assert gpus["node-feature-discovery"]["worker"]["tolerations"] == gpus["daemonsets"]["tolerations"]
    assert gpus["driver"]["enabled"] is gpus["toolkit"]["enabled"] is False, "the nodes' image has them"
    assert scaler["autoDiscovery"]["clusterName"] == cloud.outputs["cluster_name"]
    assert scaler["image"]["tag"] == f"v{cloud.one('aws_eks_cluster.this')['version']}.0"
    training = yaml.safe_load(cloud.outputs["kustomizations"]["training-operator"])
    assert "standalone?ref=v1.9." in training["resources"][0]


def test_the_service_is_rendered_with_its_role_image_and_registry(cloud: Cloud, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform"))
    render = ["bash", str(tmp_path / "infra/install.sh"), "dev", "--render"]
    known = environment() | {"TERRAFORM_DIR": str(cloud.folder)}
    made = subprocess.run(render, capture_output=True, text=True, timeout=120, env=known)
    assert made.returncode == 0, made.stderr
    written = {path.name for path in (tmp_path / "work/dev").glob("*.values.yaml")}
    assert written == {f"{name}.values.yaml" for name in cloud.outputs["helm_values"]}

    place = tmp_path / "work/dev/serving"
    run = subprocess.run(["kubectl", "kustomize", str(place)], capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stderr
    objects = list(yaml.safe_load_all(run.stdout))
    one = partial(_one, objects)
    assert one("ServiceAccount", "assay-serving")["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": cloud.outputs["serving_role_arn"]
    }
    assert one("ServiceAccount", "assay-serving")["metadata"]["namespace"] == cloud.outputs["serving_namespace"]
    config = next(each for each in objects if each["kind"] == "ConfigMap")
    assert config["data"]["ASSAY_REGISTRY"] == cloud.outputs["registry_location"]
    assert config["data"]["ASSAY_SERVE_LOG"] == f"s3://{cloud.outputs['data_bucket']}/assay/score-log"
    pod = one("Deployment", "assay-serving")["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["envFrom"][0]["configMapRef"]["name"] == config["metadata"]["name"]
    assert pod["containers"][0]["image"].startswith(cloud.outputs["registry_urls"]["serve"] + ":")
    monitor = yaml.safe_load((ROOT / "infra/monitoring/servicemonitor.yaml").read_text())["spec"]["selector"]
    assert monitor["matchLabels"].items() <= one("Service", "assay-serving")["metadata"]["labels"].items()
    for each in objects:
        kubernetes_validate.validate(each, "1.35", strict=True)


def _one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def test_destroy_leaves_nothing(cloud: Cloud) -> None:
    import boto3

    run = terraform(cloud.folder, "destroy", "-auto-approve", *OPTIONS, endpoint=cloud.endpoint, within=900)

    assert run.returncode == 0, run.stdout[-5000:] + run.stderr
    assert json.loads((cloud.folder / "terraform.tfstate").read_text())["resources"] == []
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
    client = partial(boto3.client, endpoint_url=cloud.endpoint, **keys)
    assert client("s3").list_buckets()["Buckets"] == []
    assert client("eks").list_clusters()["clusters"] == []
    assert client("rds").describe_db_instances()["DBInstances"] == []
    assert client("ecr").describe_repositories()["repositories"] == []
    assert client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"] == []
    assert client("iam").list_roles()["Roles"] == []
