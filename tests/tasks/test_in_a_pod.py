"""What a task does differently in a pod: it has no disk that stays, and its store's credentials come from Flyte."""

import datetime
from pathlib import Path

import pytest

from assay.errors import InputError
from tasks.support.credentials import take_credentials
from tasks.support.settings import lasting, require_lasting_tracker
from tasks.support.targets import target_of

STORE = "s3://bucket/assay"


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable by which a pod is known; no place is set, and the working directory is on the root file system."""
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_ID", "a1")
    for name in ("REGISTRY", "LEDGER", "PIECES", "SCORES", "LOOKS", "WATCH_LOG"):
        monkeypatch.delenv(f"ASSAY_{name}", raising=False)
    monkeypatch.setenv("ASSAY_WORK", "/nowhere-at-all/work")


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize("given", ["", "/registry", "file:///registry"])
def test_a_place_on_the_disk_of_a_pod_is_refused_with_the_name_of_its_setting(given: str) -> None:
    with pytest.raises(InputError, match=r"no lasting place for registry.*set ASSAY_REGISTRY to one"):
        lasting(given, "ASSAY_REGISTRY", "registry")


@pytest.mark.usefixtures("pod")
def test_a_store_and_a_mounted_volume_are_places(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lasting(STORE, "ASSAY_REGISTRY", "registry") == STORE
    assert lasting("/dev/shm/registry", "ASSAY_REGISTRY", "registry") == "/dev/shm/registry"
    monkeypatch.setenv("ASSAY_REGISTRY", STORE)
    assert lasting("", "ASSAY_REGISTRY", "registry") == STORE


def test_on_a_laptop_the_work_folder_is_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLYTE_INTERNAL_EXECUTION_ID", raising=False)
    monkeypatch.delenv("ASSAY_REGISTRY", raising=False)
    monkeypatch.setenv("ASSAY_WORK", "/nowhere-at-all/work")
    assert lasting("", "ASSAY_REGISTRY", "registry") == "/nowhere-at-all/work/registry"
    require_lasting_tracker("mlflow")
    assert target_of("local,port=3001") == {"target": "local", "port": "3001"}


@pytest.mark.usefixtures("pod")
def test_a_tracker_without_a_server_is_refused_in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"tracking is 'mlflow'.*Give mlflow:URI of a server, or none"):
        require_lasting_tracker("mlflow")
    monkeypatch.delenv("NEPTUNE_API_TOKEN", raising=False)
    with pytest.raises(InputError, match=r"tracking is 'neptune:team/project'.*Give NEPTUNE_API_TOKEN"):
        require_lasting_tracker("neptune:team/project")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(InputError, match=r"tracking is 'wandb'.*Give WANDB_MODE=online"):
        require_lasting_tracker("wandb")
    monkeypatch.setenv("NEPTUNE_API_TOKEN", "given")
    monkeypatch.setenv("WANDB_MODE", "online")
    for kept in ("mlflow:http://mlflow:5000", "neptune:team/project", "wandb:team/project", "none"):
        require_lasting_tracker(kept)


@pytest.mark.usefixtures("pod")
def test_a_pod_serves_nothing_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_DEPLOY_TARGET", raising=False)
    assert target_of("") == {"target": "kubernetes"}
    with pytest.raises(InputError, match="a pod, whose processes end with it"):
        target_of("local,port=3001")


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tracking": "mlflow"}, "tracking is 'mlflow'"),
        ({"registry": ""}, "set ASSAY_REGISTRY"),
        ({"ledger": ""}, "set ASSAY_LEDGER"),
    ],
)
def test_a_training_is_refused_before_its_source_is_opened(given: dict[str, str], message: str) -> None:
    from tasks.resolve_training import resolve_training

    inputs = {"source": "missing.parquet", "registry": STORE, "ledger": STORE, "tracking": "none"}
    flat = dict.fromkeys(("group_by", "time_column", "since", "until", "rubric", "options"), "")
    with pytest.raises(InputError, match=message):
        resolve_training.task_function(
            **flat, **(inputs | given), text_column="text", label_column="label", recipe="default"
        )


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tracking": "mlflow"}, "tracking is 'mlflow'"),
        ({"target": "local"}, "target 'local' is this machine"),
        *(({name: ""}, f"set ASSAY_{name.upper()}") for name in ("registry", "ledger", "looks")),
        ({"log": ""}, "set ASSAY_WATCH_LOG"),
    ],
)
def test_a_watch_is_refused_for_what_its_retraining_lacks(given: dict[str, str], message: str) -> None:
    from tasks.watch import look_at_service

    places = dict.fromkeys(("registry", "ledger", "looks", "log"), STORE)
    flat = dict.fromkeys(("group_by", "time_column", "rubric", "options", "reference"), "")
    rest = {"text_column": "text", "label_column": "label", "recipe": "default", "model": "champion"}
    with pytest.raises(InputError, match=message):
        look_at_service.task_function(
            kickoff=datetime.datetime(2026, 1, 31),
            source="a.parquet",
            test_set="b.parquet",
            hours=24.0,
            days=0,
            **(places | flat | rest | {"tracking": "none", "target": ""} | given),
        )


def test_credentials_of_flyte_are_those_of_all_code_in_a_pod() -> None:
    given = {
        "FLYTE_AWS_ACCESS_KEY_ID": "a",
        "FLYTE_AWS_SECRET_ACCESS_KEY": "b",
        "FLYTE_AWS_ENDPOINT": "http://minio:9000",
    }
    pod = dict(given)
    take_credentials(pod)
    found = {name: pod[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")}
    assert list(found.values()) == ["a", "b", "http://minio:9000"]

    own = {**given, "AWS_ACCESS_KEY_ID": "mine", "AWS_ENDPOINT_URL": "http://other"}
    before = dict(own)
    take_credentials(own)
    assert own == before, "a pair is never mixed from two places"

    role = {**given, "AWS_ROLE_ARN": "arn:aws:iam::1:role/tasks"}
    take_credentials(role)
    assert "AWS_ACCESS_KEY_ID" not in role
    nothing: dict[str, str] = {}
    take_credentials(nothing)
    assert nothing == {}
