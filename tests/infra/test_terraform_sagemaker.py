"""The module for SageMaker, applied by itself on a moto server: its rights, its alarms, and that it is off."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from policy_findings import allows, findings
from terraform_runner import TERRAFORM, copied, initialised, moto, terraform

PROJECT = """
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

module "sagemaker" {
  source          = "./modules/sagemaker"
  full_name       = "assay-dev"
  bucket          = "data"
  prefix          = "assay"
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/1"
  repository_arns = ["arn:aws:ecr:eu-central-1:123456789012:repository/assay-dev/serve"]
}

output "all" {
  value = module.sagemaker
}
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("module")
    shutil.copytree(TERRAFORM / "modules", folder / "modules")
    shutil.copy(TERRAFORM / ".terraform.lock.hcl", folder)
    (folder / "main.tf").write_text(PROJECT)
    initialised(folder)
    with moto(folder / "log") as endpoint:
        run = terraform(folder, "apply", "-auto-approve", "-no-color", endpoint=endpoint)
        assert run.returncode == 0, run.stdout + run.stderr
        again = terraform(folder, "plan", "-detailed-exitcode", "-no-color", endpoint=endpoint)
        assert again.returncode == 0, again.stdout + again.stderr
        shown = json.loads(terraform(folder, "show", "-json", endpoint=endpoint).stdout)["values"]
        yield {
            "outputs": shown["outputs"]["all"]["value"],
            "resources": shown["root_module"]["child_modules"][0]["resources"],
        }


def policy(applied: dict[str, Any], kind: str) -> str:
    (found,) = [each["values"]["policy"] for each in applied["resources"] if each["type"] == kind]
    return str(found)


def test_containers_read_what_they_serve_and_write_models_alone(applied: dict[str, Any]) -> None:
    rights = policy(applied, "aws_iam_role_policy")
    bucket = "arn:aws:s3:::data"

    assert allows(rights, "s3:GetObject", f"{bucket}/assay/sagemaker/models/1/model.tar.gz")
    assert allows(rights, "s3:GetObject", f"{bucket}/assay/labels/a.parquet")
    assert allows(rights, "s3:PutObject", f"{bucket}/assay/sagemaker/models/1/model.tar.gz")
    assert not allows(rights, "s3:PutObject", f"{bucket}/assay/registry/versions/1/model/assay.json")
    assert not allows(rights, "s3:GetObject", f"{bucket}/other/x")
    assert not allows(rights, "s3:DeleteObject", f"{bucket}/assay/sagemaker/x")
    assert not allows(rights, "sagemaker:CreateEndpoint", "*")


def test_a_deployer_has_its_endpoint_and_passes_one_role(applied: dict[str, Any]) -> None:
    rights = policy(applied, "aws_iam_policy")
    endpoint = "arn:aws:sagemaker:eu-central-1:123456789012:endpoint"

    for name in ("assay-serving", "assay-serving-check"):
        assert allows(rights, "sagemaker:UpdateEndpoint", f"{endpoint}/{name}")
    assert not allows(rights, "sagemaker:UpdateEndpoint", f"{endpoint}/theirs")
    passed = {"iam_PassedToService": "sagemaker.amazonaws.com"}
    assert allows(rights, "iam:PassRole", applied["outputs"]["role_arn"], **passed)
    assert not allows(rights, "iam:PassRole", "arn:aws:iam::123456789012:role/admin", **passed)


def test_what_the_command_calls_is_in_the_policy(applied: dict[str, Any]) -> None:
    rights = policy(applied, "aws_iam_policy")
    called = set()
    for file in ("deployment/sagemaker_endpoint.py", "jobs/sagemaker.py"):
        text = (TERRAFORM.parents[1] / "assay" / file).read_text()
        called |= set(re.findall(r"client\.((?:create|describe|update|delete|add|list)_\w+)", text))
    actions = {"".join(word.capitalize() for word in name.split("_")) for name in called}
    assert {"CreateEndpoint", "UpdateEndpoint", "CreateTrainingJob", "DescribeAlarms"} <= actions
    missing = [name for name in actions if f":{name}" not in rights]
    assert missing == []


def test_alarms_are_those_that_the_command_is_given(applied: dict[str, Any]) -> None:
    alarms = {each["values"]["alarm_name"]: each["values"] for each in applied["resources"] if "alarm" in each["type"]}

    assert sorted(alarms) == ["assay-serving-5xx", "assay-serving-latency"]
    assert applied["outputs"]["alarms"].split("+") == sorted(alarms)
    assert alarms["assay-serving-latency"]["threshold"] == 2_000_000, "microseconds"
    for each in alarms.values():
        assert each["dimensions"] == {"EndpointName": "assay-serving", "VariantName": "AllTraffic"}


def test_no_right_is_without_bounds_but_those_that_know_none(applied: dict[str, Any]) -> None:
    without = [each for each in findings(applied["resources"]) if "on everything" in each]

    assert all("GetAuthorizationToken" in each or "PutMetricData" in each for each in without), without
    assert [each for each in findings(applied["resources"]) if "on everything" not in each] == []


def test_it_is_off_unless_it_is_asked_for() -> None:
    text = (TERRAFORM / "variables_sagemaker.tf").read_text()

    assert "default     = false" in text
    assert "count  = var.sagemaker ? 1 : 0" in (TERRAFORM / "sagemaker.tf").read_text()
    assert not [path for path in (TERRAFORM / "environments").iterdir() if "sagemaker" in path.read_text()]


@pytest.mark.full
def test_an_environment_with_it_is_as_it_must_be(tmp_path: Path) -> None:
    project = initialised(copied(tmp_path), "-backend=false")
    arguments = ["test", "-no-color", "-test-directory=tests/aws", "-var-file=environments/dev.tfvars"]
    with moto(tmp_path / "log") as endpoint:
        run = terraform(project, *arguments, "-var=sagemaker=true", endpoint=endpoint)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed, 0 failed" in run.stdout
