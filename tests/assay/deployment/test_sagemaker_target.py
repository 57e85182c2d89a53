"""SageMaker as a target, on a stand-in that takes its time and fails."""

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_stand_in import IMAGE, PLACE, ROLE, StandIn, aws
from tiny_versions import Versions

from assay.deployment.archive import write_archive
from assay.deployment.sagemaker import SageMakerTarget
from assay.deployment.sagemaker_settings import SageMakerSettings
from assay.deployment.smoke import smoke_test
from assay.deployment.target import FailedDeploymentError
from assay.errors import InputError
from assay.registry import Registry
from assay.storage import digest_file, digest_folder

NAME = "assay-serving"
Make = Callable[..., SageMakerTarget]


@pytest.fixture
def cloud(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr("time.sleep", lambda _: None)  # the pauses of botocore and of the target
    with aws(versions.registry, monkeypatch) as made:
        yield made


@pytest.fixture
def make(cloud: StandIn, versions: Versions) -> Make:
    def made(**settings: Any) -> SageMakerTarget:
        given = {
            "role": ROLE,
            "image": IMAGE,
            "place": PLACE,
            "instance": "ml.c5.xlarge",
            "poll": 0.001,
            "alarms": ("assay-5xx",),
            **settings,
        }
        return SageMakerTarget(SageMakerSettings(versions.registry, **given))

    return made


def endpoints() -> list[str]:
    return sorted(each["EndpointName"] for each in boto3.client("sagemaker").list_endpoints()["Endpoints"])


def test_versions_take_over_by_a_canary_and_go_back(cloud: StandIn, make: Make, versions: Versions) -> None:
    target = make(most=4)
    assert target.status().state == "nothing"

    done = target.deploy(versions.first)
    assert (done.version, done.previous, done.changed) == (versions.first, "", True)
    assert done.where == f"sagemaker://eu-central-1/{NAME}"
    assert endpoints() == [NAME], "the endpoint of the check is gone"
    assert target.status().state == "serving"

    count = len(cloud.calls)
    again = make(most=4).deploy(versions.first)
    assert (again.changed, again.version) == (False, versions.first)
    assert {name for name, _ in cloud.calls[count:]} <= {"DescribeEndpoint", "ListTags"}

    done = target.deploy(versions.second)
    assert (done.version, done.previous) == (versions.second, versions.first)
    policy = cloud.last("UpdateEndpoint")["DeploymentConfig"]
    routing = policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing == {
        "Type": "CANARY",
        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 600,
    }
    assert policy["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "assay-5xx"}]}
    scaled = boto3.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert [(each["MinCapacity"], each["MaxCapacity"]) for each in scaled["ScalableTargets"]] == [(2, 4)]

    with Registry(versions.registry).open(versions.second) as model:
        assert smoke_test(model, versions.second, done.where).passed

    back = target.rollback()
    assert (back.version, back.changed) == (versions.first, True)
    routing = cloud.last("UpdateEndpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == "ALL_AT_ONCE", "a version that served before is not tried out again"
    assert (target.rollback().changed, target.status().version) == (False, versions.first)


def test_the_first_instances_of_a_small_fleet_have_no_canary(cloud: StandIn, make: Make, versions: Versions) -> None:
    target = make(instances=1)
    target.deploy(versions.first)
    target.deploy(versions.second)

    policy = cloud.last("UpdateEndpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
    assert policy["TerminationWaitInSeconds"] == 600, "the old instance stays while alarms may go back"
    settings = SageMakerSettings("", share=10)
    assert [settings.canary(count) for count in (1, 2, 3, 10, 40)] == [0, 1, 1, 1, 4]
    assert SageMakerSettings("", share=50).canary(5) == 2, "at most half"


def test_model_data_is_the_registered_model_under_its_digest(
    cloud: StandIn, make: Make, versions: Versions, tmp_path: Path
) -> None:
    make().deploy(versions.first)
    registered = Registry(versions.registry).get(versions.first)
    container = cloud.last("CreateModel")["PrimaryContainer"]
    assert container["ModelDataUrl"] == f"{PLACE}/{registered.digest}/model.tar.gz"
    assert container["Environment"]["ASSAY_MODEL_VERSION"] == versions.first
    archive = tmp_path / "got.tar.gz"
    boto3.client("s3").download_file("models", f"assay/{registered.digest}/model.tar.gz", str(archive))
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "model", filter="data")
    assert digest_folder(tmp_path / "model") == registered.digest

    write_archive(tmp_path / "model", tmp_path / "again.tar.gz")
    assert digest_file(tmp_path / "again.tar.gz") == digest_file(archive)


@pytest.mark.parametrize("end", ["Failed", "never"])
def test_a_version_that_does_not_start_never_reaches_the_endpoint_of_clients(
    cloud: StandIn, make: Make, versions: Versions, end: str
) -> None:
    make().deploy(versions.first)
    cloud.ends = {versions.second: end}
    updates = cloud.count("UpdateEndpoint")

    with pytest.raises(FailedDeploymentError, match=f"{versions.first} still serves. Why: ") as caught:
        make(within=0.05 if end == "never" else 60.0).deploy(versions.second)

    assert ("is not done after" if end == "never" else "a health check failed; its log is in CloudWatch") in str(
        caught.value
    )
    assert caught.value.serving == versions.first
    assert (endpoints(), cloud.count("UpdateEndpoint")) == ([NAME], updates)
    assert make().status().state == "serving"
    left = [each["ModelName"] for each in boto3.client("sagemaker").list_models()["Models"]]
    assert not [name for name in left if versions.second in name]


def test_a_version_with_other_scores_is_refused(cloud: StandIn, make: Make, versions: Versions) -> None:
    make().deploy(versions.first)
    cloud.wrong = versions.second

    with pytest.raises(FailedDeploymentError, match=r"off by 0\.5 labels"):
        make().deploy(versions.second)

    assert (make().status().version, endpoints()) == (versions.first, [NAME])


def test_sagemaker_goes_back_by_an_alarm_and_the_error_says_what_serves(
    cloud: StandIn, make: Make, versions: Versions
) -> None:
    target = make()
    target.deploy(versions.first)
    original = cloud.update_endpoint

    def update(request: Any, given: dict[str, Any]) -> Any:
        cloud.ends = {versions.second: "back"}
        return original(request, given)

    cloud.update_endpoint = update  # type: ignore[method-assign]

    with pytest.raises(FailedDeploymentError, match=f"{versions.first} still serves. Why: an alarm") as caught:
        target.deploy(versions.second)

    assert caught.value.serving == versions.first
    status = target.status()
    assert (status.state, status.version) == ("serving", versions.first)
    cloud.ends, cloud.update_endpoint = {}, original  # type: ignore[method-assign]
    assert target.deploy(versions.second).version == versions.second


def test_an_update_that_takes_too_long_is_completed_by_the_same_command(
    cloud: StandIn, make: Make, versions: Versions
) -> None:
    make().deploy(versions.first)
    original = cloud.update_endpoint

    def update(request: Any, given: dict[str, Any]) -> Any:
        cloud.ends = {versions.second: "never"}
        return original(request, given)

    cloud.update_endpoint = update  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"is not done after 0\.05 s: Updating.*the same command again"):
        make(within=0.05).deploy(versions.second)
    status = make().status()
    assert (status.state, status.version) == ("moving", versions.first)
    with pytest.raises(InputError, match="another update is under way: updating"):
        make().deploy(versions.first)

    cloud.ends = {}
    updates = cloud.count("UpdateEndpoint")
    done = make().deploy(versions.second)
    assert (done.version, done.previous, cloud.count("UpdateEndpoint")) == (versions.second, versions.first, updates)


@pytest.mark.parametrize(
    ("operation", "answers", "says"),
    [
        (
            "CreateEndpoint",
            [(400, "ResourceLimitExceeded", "The account-level limit is 0 Instances")],
            "Service Quotas",
        ),
        ("CreateModel", [(400, "ExpiredTokenException", "The security token is expired")], "`aws sso login`"),
        ("CreateModel", [(400, "ValidationException", "Could not access model data")], "Could not access model data"),
        ("CreateModel", [(400, "AccessDeniedException", "not authorized")], "infra/terraform/modules/sagemaker"),
        ("CreateEndpoint", [(400, "ThrottlingException", "Rate exceeded")] * 6, "throttled 6 tries"),
        ("DescribeEndpoint", [(400, "UnrecognizedClientException", "invalid")], "does not know these credentials"),
    ],
)
def test_what_aws_refuses_is_said_in_one_message_and_leaves_nothing(
    cloud: StandIn, make: Make, versions: Versions, operation: str, answers: list, says: str
) -> None:
    cloud.faults[operation] = list(answers)

    with pytest.raises(InputError) as caught:
        make().deploy(versions.first)

    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert endpoints() == []
    assert make().status().state == "nothing"


def test_throttling_and_errors_of_the_service_pass(cloud: StandIn, make: Make, versions: Versions) -> None:
    throttled = [(400, "ThrottlingException", "Rate exceeded"), (500, "InternalFailure", "")]
    cloud.faults = {name: list(throttled) for name in ("DescribeEndpoint", "CreateEndpoint", "CreateModel", "AddTags")}

    assert make().deploy(versions.first).version == versions.first


def test_what_somebody_else_changed_is_left_alone(cloud: StandIn, make: Make, versions: Versions) -> None:
    make().deploy(versions.first)
    endpoint = cloud.backend.endpoints[NAME]
    endpoint.endpoint_config_name = "theirs"

    for act in (lambda: make().deploy(versions.second), lambda: make().rollback()):
        with pytest.raises(InputError, match="somebody else changed this endpoint: it serves theirs"):
            act()
    assert make().status().state == "degraded"
    assert endpoint.endpoint_config_name == "theirs"
    boto3.client("sagemaker").delete_tags(ResourceArn=endpoint.arn, TagKeys=["assay:target"])
    with pytest.raises(InputError, match="was not made by `assay deploy`"):
        make().deploy(versions.second)


def test_an_interrupted_check_is_taken_over_and_another_one_is_not(
    cloud: StandIn, make: Make, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C whose deletion is lost, too."""
    cloud.faults["DeleteEndpoint"] = [(400, "AccessDeniedException", "no")]
    with pytest.raises(InputError):
        make().deploy(versions.first)
    assert endpoints() == [f"{NAME}-check"]
    with pytest.raises(InputError, match=f"another version is being checked: {NAME}-{versions.first}"):
        make().deploy(versions.second)

    monkeypatch.setattr("assay.deployment.sagemaker.CHECK_SECONDS", -1)
    assert make().deploy(versions.second).version == versions.second
    assert endpoints() == [NAME]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"role": ROLE.replace("assay", "none")}, "there is no role"),
        ({"role": "assay"}, "'assay' is no ARN of a role"),
        ({"image": IMAGE.replace(":1", ":2")}, "there is no image"),
        ({"image": IMAGE.replace("eu-central-1", "us-east-1")}, "the image is in us-east-1"),
        ({"image": "nginx"}, "'nginx' is no image of ECR"),
        ({"place": "s3://none/a"}, "there is no bucket none"),
        ({"place": "gs://none/a"}, "is no folder of S3"),
        ({"alarms": ("none",)}, "there is no alarm 'none'"),
    ],
)
def test_bad_settings_change_nothing(cloud: StandIn, make: Make, versions: Versions, settings: dict, says: str) -> None:
    make().deploy(versions.first)
    before = [name for name, _ in cloud.calls if not name.startswith(("Describe", "List"))]

    with pytest.raises(InputError, match=says):
        make(**settings).deploy(versions.second)

    assert [name for name, _ in cloud.calls if not name.startswith(("Describe", "List"))] == before


def test_a_version_that_is_not_registered_and_nothing_to_go_back_to(make: Make, versions: Versions) -> None:
    with pytest.raises(InputError, match="no version 'abcdef'"):
        make().deploy("abcdef")
    with pytest.raises(InputError, match="there is no version to roll back to"):
        make().rollback()
    make().deploy(versions.first)
    with pytest.raises(InputError, match="there is no version to roll back to"):
        make().rollback()
