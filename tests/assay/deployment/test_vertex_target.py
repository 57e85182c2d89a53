"""Vertex AI as a target, on a stand-in over HTTP that takes its time and misbehaves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tiny_versions import Versions
from vertex_stand_in import VertexStandIn

from assay.cloud import GoogleSettings
from assay.deployment.smoke import smoke_test
from assay.deployment.target import FailedDeploymentError
from assay.deployment.vertex import VertexTarget
from assay.deployment.vertex_endpoint import deployed_id
from assay.deployment.vertex_settings import VertexSettings
from assay.errors import InputError
from assay.registry import Registry
from assay.storage import list_names

NAME = "assay-serving"
IMAGE = "europe-west4-docker.pkg.dev/my-project/assay/serve:1"
Make = Callable[..., VertexTarget]


@pytest.fixture
def cloud(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexStandIn]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("assay.cloud.google.FIRST_PAUSE", 0.001)
    made = VertexStandIn(versions.registry)
    monkeypatch.setenv("ASSAY_VERTEX_API", made.url)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", made.token)
    yield made
    made.close()


@pytest.fixture
def make(cloud: VertexStandIn, versions: Versions, gs: str) -> Make:
    def made(project: str = "my-project", **settings: Any) -> VertexTarget:
        given = {"image": IMAGE, "place": f"{gs}/vertex", "poll": 0.001, "bake": 0.0, **settings}
        target = VertexTarget(
            VertexSettings(versions.registry, google=GoogleSettings(project, "europe-west4"), **given)
        )
        target._google._sleep = lambda _: None
        return target

    return made


def deployed(cloud: VertexStandIn) -> list[str]:
    return [each["displayName"].split("-")[2] for each in cloud.endpoints[NAME]["deployedModels"]]


def test_versions_share_the_traffic_take_it_all_and_give_it_back(
    cloud: VertexStandIn, make: Make, versions: Versions, gs: str
) -> None:
    target = make()
    assert target.status().state == "nothing"

    done = target.deploy(versions.first)
    assert (done.version, done.previous, done.changed) == (versions.first, "", True)
    assert list(cloud.endpoints) == [NAME], "the endpoint of the check is gone"
    assert list_names(f"{gs}/vertex") == [Registry(versions.registry).get(versions.first).digest]
    (model,) = cloud.models.values()
    assert model["containerSpec"]["command"] == ["serve"]
    assert {"name": "ASSAY_MODEL_VERSION", "value": versions.first} in model["containerSpec"]["env"]
    assert make().deploy(versions.first).changed is False

    done = target.deploy(versions.second)
    assert (done.version, done.previous) == (versions.second, versions.first)
    assert [sorted(split.values()) for split in cloud.splits[-2:]] == [[10, 90], [0, 100]]
    assert target.status().version == versions.second
    with Registry(versions.registry).open(versions.second) as folder:
        assert smoke_test(folder, versions.second, done.where).passed

    back = target.rollback()
    assert (back.version, back.changed, deployed(cloud)) == (versions.first, True, [versions.first])
    assert (target.rollback().changed, target.status().version) == (False, versions.first)
    with pytest.raises(InputError, match="no version 'abcdef'"):
        target.deploy("abcdef")


def test_a_share_that_answers_badly_is_sent_back(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    """Right on the endpoint of the check, and wrong among the traffic."""
    target = make(share=99)
    target.deploy(versions.first)
    cloud.wrong, cloud.wrong_at = versions.second, NAME

    with pytest.raises(
        FailedDeploymentError, match=f"{versions.first} gets all requests again. Why: a golden"
    ) as caught:
        target.deploy(versions.second)

    assert caught.value.serving == versions.first
    assert (deployed(cloud), target.status().state) == ([versions.first], "serving")


def test_a_version_with_other_scores_gets_no_traffic(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    target = make()
    target.deploy(versions.first)
    cloud.wrong, cloud.wrong_at = versions.second, f"{NAME}-check"
    splits = len(cloud.splits)

    with pytest.raises(FailedDeploymentError, match=r"still serves. Why: the served scores are off by 0\.5 labels"):
        target.deploy(versions.second)

    assert (list(cloud.endpoints), deployed(cloud)) == ([NAME], [versions.first])
    assert len(cloud.splits) == splits + 1, "that of the check alone"


@pytest.mark.parametrize(
    ("code", "message", "says"),
    [
        (8, "The following quotas are exceeded: CustomModelServingCPUs", "Ask for a higher quota"),
        (9, "Model server never became ready", "Model server never became ready"),
        (-1, "", "the operation is not done after 0.05 s"),
    ],
)
def test_a_model_that_is_not_deployed_changes_nothing(
    cloud: VertexStandIn, make: Make, versions: Versions, code: int, message: str, says: str
) -> None:
    make().deploy(versions.first)
    cloud.fails = {"deployModel": (code, message)}

    with pytest.raises(FailedDeploymentError) as caught:
        make(within=0.05).deploy(versions.second)

    assert f"{versions.first} still serves. Why: " in str(caught.value) and says in str(caught.value)
    assert deployed(cloud) == [versions.first]
    cloud.fails = {}
    assert make().deploy(versions.second).version == versions.second


def test_too_many_requests_and_errors_of_the_service_pass(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    busy = [(429, "RESOURCE_EXHAUSTED", "Quota exceeded"), (503, "UNAVAILABLE", "later"), (500, "INTERNAL", "")]
    names = ("GET endpoints/assay-serving", "POST models:upload", "POST endpoints", "POST :deployModel", "GET /0")
    cloud.faults = {name: list(busy) for name in names}

    assert make().deploy(versions.first).version == versions.first
    assert not any(cloud.faults.values())


@pytest.mark.parametrize(
    ("call", "answers", "says"),
    [
        ("POST models:upload", [(429, "RESOURCE_EXHAUSTED", "Quota exceeded")] * 6, "Ask for a higher quota"),
        ("POST models:upload", [(403, "PERMISSION_DENIED", "no aiplatform.models.upload")], "roles/aiplatform.user"),
        ("POST models:upload", [(403, "PERMISSION_DENIED", "API has not been used in project")], "services enable"),
        ("GET endpoints/assay-serving", [(401, "UNAUTHENTICATED", "")], "has expired"),
    ],
)
def test_what_google_refuses_is_said_in_one_message(
    cloud: VertexStandIn, make: Make, versions: Versions, call: str, answers: list, says: str
) -> None:
    cloud.faults = {call: list(answers)}

    with pytest.raises(InputError) as caught:
        make().deploy(versions.first)

    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert cloud.endpoints == {} and cloud.models == {}


def test_an_etag_that_changed_meanwhile_stops_the_command(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    make().deploy(versions.first)
    cloud.faults = {f"PATCH endpoints/{NAME}": [(409, "ABORTED", "The etag is not the current one")]}

    with pytest.raises(InputError, match="The etag is not the current one"):
        make().deploy(versions.second)

    assert make().status().version == versions.first


def test_what_somebody_else_changed_is_left_alone(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    make().deploy(versions.first)
    endpoint = cloud.endpoints[NAME]
    endpoint["deployedModels"].append({"id": "42", "displayName": "theirs", "model": "theirs"})

    for act in (lambda: make().deploy(versions.second), lambda: make().rollback()):
        with pytest.raises(InputError, match="somebody else changed this endpoint: it has the model theirs"):
            act()
    assert make().status().state == "degraded"
    endpoint["labels"] = {}
    with pytest.raises(InputError, match="was not made by `assay deploy`"):
        make().deploy(versions.second)


def test_an_interrupted_share_goes_on(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    make().deploy(versions.first)
    make().deploy(versions.second)
    endpoint = cloud.endpoints[NAME]
    ids = [each["id"] for each in endpoint["deployedModels"]]
    endpoint["trafficSplit"] = {ids[0]: 90, ids[1]: 10}
    endpoint["labels"]["assay_next"] = endpoint["deployedModels"][1]["displayName"]
    status = make().status()
    assert (status.state, status.version) == ("moving", versions.first)

    deploys = cloud.count(f"POST endpoints/{NAME}:deployModel")
    done = make().deploy(versions.second)

    assert (done.version, done.previous) == (versions.second, versions.first)
    assert cloud.count(f"POST endpoints/{NAME}:deployModel") == deploys


def test_a_rollback_abandons_a_share_that_was_interrupted(cloud: VertexStandIn, make: Make, versions: Versions) -> None:
    """Also where the new version has most of the requests, and where it is deployed and has none yet."""
    make().deploy(versions.first)
    make().deploy(versions.second)
    endpoint = cloud.endpoints[NAME]
    first, second = endpoint["deployedModels"]
    endpoint["trafficSplit"] = {first["id"]: 1, second["id"]: 99}
    endpoint["labels"] |= {"assay_next": second["displayName"], "assay_previous": ""}

    assert make().rollback().version == versions.first
    assert (deployed(cloud), make().rollback().changed) == ([versions.first], False)

    endpoint["deployedModels"].append(second)
    endpoint["labels"] |= {"assay_next": second["displayName"], "assay_left": ""}
    assert make().rollback().version == versions.first
    assert (deployed(cloud), endpoint["trafficSplit"]) == ([versions.first], {first["id"]: 100})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"image": "nginx"}, "'nginx' is no image of Artifact Registry"),
        ({"place": "s3://bucket/a"}, "is no folder of Cloud Storage"),
        ({"project": "other-project"}, "Permission denied on resource"),
    ],
)
def test_bad_settings_change_nothing(
    cloud: VertexStandIn, make: Make, versions: Versions, settings: dict, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        make(**settings).deploy(versions.first)

    assert not [name for name, _ in cloud.calls if not name.startswith("GET")]


def test_ids_are_ten_digits_and_differ() -> None:
    ids = {deployed_id(f"assay-serving-{number:012x}") for number in range(1000)}

    assert len(ids) == 1000 and all(len(id) == 10 and id.isdecimal() for id in ids)
