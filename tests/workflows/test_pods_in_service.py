"""What serves, as pods replace and watch it: a failure node that restores, and an alarm that starts a launch plan."""

import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster_stand_in import DEPLOYMENT, StandIn, merge
from pods import FOLDER, PodError, Store
from propeller import Propeller
from tiny_versions import Versions, registry_of

from assay.registry import Registry
from assay.scorelog.files import write_rows

FULL = pytest.mark.full
pytestmark = pytest.mark.timeout(1800)  # a training is fifteen processes, each of which imports torch
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def cluster(propeller: Propeller, tmp_path: Path) -> Iterator[StandIn]:
    """A cluster that pods reach by a kubeconfig that is mounted into them."""
    made = StandIn()
    fields = {
        "clusters": [{"name": "here", "cluster": {"server": made.url}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "test",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(fields))
    propeller.pods.variables["KUBECONFIG"] = str(tmp_path / "kubeconfig")
    yield made
    made.close()


@FULL
def test_a_promotion_whose_service_fails_leaves_what_served(
    propeller: Propeller, store: Store, sample: list[dict], versions: Versions, cluster: StandIn, tmp_path: Path
) -> None:
    registry = registry_of(versions, tmp_path)
    registry.move_alias("champion", versions.first, who="test", why="begin", evidence={}, after=None)
    store.write_folder(Path(registry.url), propeller.pods.variables["ASSAY_REGISTRY"])
    with cluster.lock:
        annotations = {"metadata": {"annotations": {"assay/version": versions.first}}}
        merge(cluster.object["spec"], {"template": annotations})
    while cluster.serving != {versions.first}:
        time.sleep(0.05)
    cluster.bad[versions.second] = "CrashLoopBackOff"
    test_set = store.write_table(f"{FOLDER}/test.parquet", sample[60:400])

    with pytest.raises(PodError, match="Deployment"):
        propeller.start(
            "workflows.deployment.promote", challenger=versions.second, data=test_set, in_spite="the test wants it"
        )

    assert propeller.ran == ["judge_version", "deploy_version", "restore_service"]
    assert cluster.wanted == versions.first
    log = f"{propeller.pods.variables['ASSAY_REGISTRY']}/decisions/00000001"
    decision = json.loads(store.read(f"{log}.json"))
    assert decision["outcome"] == "failed"
    assert decision["serving"] == decision["champion"] == versions.first
    assert "Traceback" not in decision["sentence"] and "Trace:" not in decision["sentence"]
    assert len(decision["sentence"]) < 1_500
    page = store.read(f"{log}.html").decode()
    assert "Traceback" in page, "the whole message is beside it"
    assert ("PATCH", DEPLOYMENT) in cluster.requests


@pytest.fixture
def watched(propeller: Propeller, store: Store, tiny_model: Path, tmp_path: Path) -> dict:
    """A champion whose service answers, and a row of its score log."""
    registry = Registry(str(tmp_path / "registry"))
    version = registry.register(tiny_model, {}).name
    registry.move_alias("champion", version, who="test", why="begin", evidence={}, after=None)
    store.write_folder(tmp_path / "registry", propeller.pods.variables["ASSAY_REGISTRY"])
    answer = {"score": 5.0, "calibrated": 5.0, "p_keep": 0.9, "grade": 5, "keep": True, "tokens": 40, "read": 1.0}
    return {**answer, "time": NOW, "version": version, "language": "en", "in_scope": True, "reason": None}


def watch(propeller: Propeller, store: Store, rows: list[dict], tmp_path: Path) -> dict:
    """Return the decision of the launch plan, an hour after these rows were answered."""
    write_rows(str(tmp_path / "log"), rows)
    store.write_folder(tmp_path / "log", f"{FOLDER}/{tmp_path.name}/score-log")
    places = {name: propeller.pods.variables[f"ASSAY_{name.upper()}"] for name in ("registry", "ledger", "looks")}
    log = f"{FOLDER}/{tmp_path.name}/score-log"
    kickoff = (NOW + datetime.timedelta(minutes=1)).replace(tzinfo=None)
    given = {"source": "missing.parquet", "options": "least_reference: 40"}  # the tiny model is calibrated on few
    return propeller.start("hourly_watch", kickoff=kickoff, log=log, **given, **places)["o0"]


@FULL
def test_a_watch_in_pods_takes_its_look_and_starts_nothing_while_it_is_quiet(
    propeller: Propeller, store: Store, watched: dict, tmp_path: Path
) -> None:
    decision = watch(propeller, store, [watched] * 30, tmp_path)

    assert decision["outcome"] == "kept"
    assert "No drift look: the window has 30 scored documents" in decision["sentence"]
    assert propeller.ran == ["look_at_service", "tell_people", "record_look", "stay"]
    assert propeller.launched == ["hourly_watch"]


@FULL
def test_an_alarm_is_recorded_and_then_starts_the_plan_of_the_retraining(
    propeller: Propeller, store: Store, watched: dict, tmp_path: Path
) -> None:
    with pytest.raises(PodError, match=r"missing\.parquet"):  # the labels, by which it is known how far it came
        watch(propeller, store, [watched] * 400, tmp_path)

    assert propeller.launched == ["hourly_watch", "retraining"]
    looks = ["look_at_service", "tell_people", "record_look"]
    assert propeller.ran == [*looks, "resolve_retraining", "resolve_training"]
    look = json.loads(store.read(f"{propeller.pods.variables['ASSAY_LOOKS']}/00000001.json"))
    assert look["act"] is True
    assert look["alarms"]
