"""Find faults of the policies and buckets in a state or plan, and evaluate a policy."""

import json
from fnmatch import fnmatchcase
from typing import Any

Resource = dict[str, Any]
Statement = dict[str, Any]

UNBOUND = {
    # AWS grants these calls for all resources or for none; all of them only read, or draw something at random.
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeScalingActivities",
    "autoscaling:DescribeTags",
    "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricStatistics",
    "cloudwatch:ListMetrics",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "ecr:GetAuthorizationToken",
    "secretsmanager:GetRandomPassword",
}


def listed(value: Any) -> list[Any]:
    """Return a list. AWS writes a list of one entry as the entry."""
    return value if isinstance(value, list) else [value]


def statements(policy: str) -> list[Statement]:
    """Return the statements of a policy document."""
    return listed(json.loads(policy)["Statement"])


def findings(resources: list[Resource]) -> list[str]:
    """Return one line for each fault: rights without bounds, trust in everybody, open buckets."""
    found = []
    kept: dict[str, set[str]] = {}
    for each in resources:
        values, address = each["values"], each["address"]
        if each["type"] in ("aws_iam_role_policy", "aws_iam_policy"):
            found += [f"{address}: {fault}" for fault in _boundless(statements(values["policy"]))]
        if each["type"] == "aws_iam_role":
            found += [f"{address}: {fault}" for fault in _trusting(statements(values["assume_role_policy"]))]
        if each["type"].startswith("aws_s3_bucket"):
            kept.setdefault(values["bucket"], set()).update(_guards(each["type"], values))
    needed = {"bucket", "closed to the public", "encrypted", "versioned", "TLS alone", "no ACLs", "lifecycle"}
    for bucket, guards in kept.items():
        found += [f"bucket {bucket}: not {guard}" for guard in sorted(needed - guards)]
    return found


def _boundless(policy: list[Statement]) -> list[str]:
    found = []
    for statement in policy:
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement or "NotResource" in statement:
            found.append("allows all but something")
            continue
        actions = set(listed(statement["Action"]))
        found += [f"allows {action}" for action in sorted(actions) if "*" in action]
        if "*" in listed(statement["Resource"]):
            found += [f"allows {action} on everything" for action in sorted(actions - UNBOUND)]
    return found


def _trusting(policy: list[Statement]) -> list[str]:
    found = []
    for statement in policy:
        principal = statement["Principal"]
        if principal == "*" or "*" in listed(principal.get("AWS", [])):
            found.append("is trusted to everybody")
        if "Federated" in principal:
            tests = [name for test in statement.get("Condition", {}).values() for name in test]
            if not any(name.endswith(":sub") for name in tests) or not any(name.endswith(":aud") for name in tests):
                found.append("is trusted to every account of a cluster or a forge")
    return found


def _guards(kind: str, values: dict[str, Any]) -> set[str]:
    guards = {
        "aws_s3_bucket": {"bucket"},
        "aws_s3_bucket_ownership_controls": {"no ACLs"},
        "aws_s3_bucket_lifecycle_configuration": {"lifecycle"},
        "aws_s3_bucket_server_side_encryption_configuration": {"encrypted"},
        "aws_s3_bucket_versioning": {"versioned"},
    }.get(kind, set())
    blocks = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    if kind == "aws_s3_bucket_public_access_block" and all(values[block] for block in blocks):
        guards = {"closed to the public"}
    if kind == "aws_s3_bucket_policy":
        for statement in statements(values["policy"]):
            unsafe = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
            if statement["Effect"] == "Deny" and unsafe and statement["Action"] == "s3:*":
                guards = {"TLS alone"}
    return guards


def allows(policy: str, action: str, resource: str, **context: str) -> bool:
    """Return True if a policy of IAM allows an action on a resource.

    Conditions may be StringLike or StringEquals. `context` has their variables, with `_` for `:` and `-`.
    """
    verdict = False
    for statement in statements(policy):
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        if not any(fnmatchcase(action, each) for each in actions):
            continue
        if not any(fnmatchcase(resource, each) for each in resources):
            continue
        if not all(
            any(fnmatchcase(context.get(name.replace(":", "_").replace("-", "_"), ""), each) for each in listed(wanted))
            for test in statement.get("Condition", {}).values()
            for name, wanted in test.items()
        ):
            continue
        if statement["Effect"] == "Deny":
            return False
        verdict = True
    return verdict
