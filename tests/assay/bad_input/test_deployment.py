"""Deployment."""

from pathlib import Path
from typing import Any

from bad_input.table import Bad, Good, check_row, rows, setting

DEPLOYMENT = {"leaves": dict.fromkeys(("deploy", "back", "stop"), "deployment")}
AWS = (
    "--target sagemaker --region eu-central-1 --role arn:aws:iam::123456789012:role/a --place s3://abc/models "
    "--image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/assay/cloud:1"
)
GOOGLE = (
    "--target vertex --project my-project --region europe-west4 --place gs://abc/models "
    "--image europe-west4-docker.pkg.dev/my-project/assay/cloud:1"
)
DEPLOYED = [
    *(
        setting(
            "unknown target", name, f"{version} --target moon", "there is no target 'moon'", "(--target)", "Give local"
        )
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""), ("stop", ""))
    ),
    *(
        setting("port in words", name, f"{version} --port http", "--port is 'http'", "Give a whole number")
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""), ("stop", ""))
    ),
    setting("port that there is not", "deploy", "{one} --port 99999", "there is no port 99999", "from 1 to 65535"),
    setting("negative port", "deploy", "{one} --port=-1", "there is no port -1", "from 1 to 65535"),
    setting("port in use", "deploy", "{one}", "nothing is served", "cannot be used", "Give another", **DEPLOYMENT),
    setting("no time", "deploy", "{one} --within 0", "limits of 0", "Give seconds above 0"),
    setting("time that is no number", "deploy", "{one} --within nan", "limits of nan", "Give seconds above 0"),
    setting("time in words", "deploy", "{one} --within long", "--within is 'long'", "Give a number"),
    setting("state on a URL", "deploy", "{one} --folder s3://a", "s3://a is a URL", "(--folder)", "Name a folder of"),
    setting("state that is a file", "deploy", "{one} --folder {labels}", "this is a file", "/d.parquet)", "Name"),
    setting("state that is a file", "status", "--folder {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("corrupt state", "status", "--folder {kept}/bad", "cannot be read", "/bad/serving.json)", "deploy again"),
    setting("nothing to go back to", "back", "", "there is no version to roll back to", "Deploy one", **DEPLOYMENT),
    setting("a cluster", "stop", "--target kubernetes", "a cluster is not stopped from here", "`kubectl delete -k`"),
    *(
        setting(
            "unknown context",
            name,
            f"{version} --target kubernetes --context moon",
            "no cluster is configured",
            "Name a",
        )
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""))
    ),
    *(
        setting(
            "a region that there is not",
            name,
            f"{version} --target sagemaker --region moon",
            "there is no region 'moon' with SageMaker",
            "(--region)",
        )
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""))
    ),
    setting("no role", "deploy", f"{{one}} {AWS} --role admin", "'admin' is no ARN of a role", "(--role)"),
    setting("no image", "deploy", f"{{one}} {AWS} --image nginx", "'nginx' is no image of ECR", "(--image)"),
    setting(
        "an image elsewhere",
        "deploy",
        f"{{one}} {AWS} --region us-east-1",
        "the image is in eu-central-1",
        "us-east-1",
        "Push it there",
    ),
    setting("no bucket", "deploy", f"{{one}} {AWS} --place gs://a", "'gs://a' is no folder of S3", "(--place)"),
    setting("a version that is not there", "deploy", f"abcdefabcdef {AWS}", "no version 'abcdefabcdef'"),
    setting("too large a canary", "deploy", f"{{one}} {AWS} --share 51", "--share is 51", "Give 1 to 50"),
    setting("most below least", "deploy", f"{{one}} {AWS} --most 1", "--most is 1, below --instances 2", "Raise it"),
    setting("a profile that there is not", "status", f"{AWS} --profile moon", "(moon)", "(--profile)"),
    setting("an endpoint here", "stop", "--target sagemaker", "sagemaker keeps its endpoints alive by itself"),
    *(
        setting(
            "a region that there is not",
            name,
            f"{version} {GOOGLE} --region moon",
            "there is no region 'moon'",
            "(--region)",
        )
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""))
    ),
    setting("no project", "deploy", f"{{one}} {GOOGLE} --project X", "'X' is no project", "(--project)"),
    setting("no image", "deploy", f"{{one}} {GOOGLE} --image nginx", "is no image of Artifact Registry", "(--image)"),
    setting("no bucket", "deploy", f"{{one}} {GOOGLE} --place s3://a", "is no folder of Cloud Storage", "(--place)"),
    setting("no name", "deploy", f"{{one}} {GOOGLE} --name Assay", "'Assay' is no id of an endpoint", "(--name)"),
    setting("a version that is not there", "deploy", f"abcdefabcdef {GOOGLE}", "no version 'abcdefabcdef'"),
    setting("no time", "status", "--target kubernetes --within -1", "within is -1", "Give a number above 0"),
    setting("time that is no number", "status", "--target kubernetes --within nan", "within is nan", "Give a number"),
]


@rows(DEPLOYED)
def test_a_deployment_that_cannot_be_made_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)
