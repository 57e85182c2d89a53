"""Every task as its pod runs it: what `make package` compiles is walked by a stand-in for propeller, on a local S3."""

import datetime
import io
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from cluster_stand_in import DEPLOYMENT, StandIn, merge
from compiled import CODE, Registered, mapped
from pods import PodError, Pods, Store
from propeller import Propeller
from tiny_versions import Versions, free_port, registry_of

BUCKET = "my-s3-bucket"
FOLDER = f"s3://{BUCKET}/assay"
FULL = pytest.mark.full


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, registered: Registered) -> Iterator[Store]:
    """A moto server, a process of its own, with the code that registration uploads."""
    with (tmp_path_factory.mktemp("moto") / "log").open("w") as log:
        port = free_port()
        command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        made, deadline = Store(f"http://127.0.0.1:{port}", BUCKET), time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(made.endpoint, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        made.files.mkdir(BUCKET)
        made.write(f"s3://{BUCKET}/{CODE}", registered.code)
        yield made
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def propeller(registered: Registered, store: Store, tmp_path: Path) -> Iterator[Propeller]:
    """Flyte, whose configuration names the lasting places, and an image that holds a tiny encoder."""
    places = {name: f"{FOLDER}/{tmp_path.name}/{name.lower()}" for name in ("REGISTRY", "LEDGER", "SCORES", "LOOKS")}
    variables = {f"ASSAY_{name}": place for name, place in places.items()}
    pods = Pods(tmp_path / "pods", store, f"s3://{BUCKET}/{CODE}", variables)
    yield Propeller(registered.specs, pods)
    for left in (tmp_path / "pods").glob("*"):
        shutil.rmtree(left)


def ran(propeller: Propeller) -> list[str]:
    """Return the names of the tasks that ran, without their modules."""
    return [mapped(name.rsplit(".", 1)[-1]) for name in propeller.pods.started]


def put_table(store: Store, url: str, rows: list[dict]) -> str:
    data = io.BytesIO()
    pd.DataFrame(rows).to_parquet(data, index=False)
    store.write(url, data.getvalue())
    return url


def put_folder(store: Store, folder: Path, url: str) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            store.write(f"{url}/{file.relative_to(folder)}", file.read_bytes())


def test_a_source_becomes_a_corpus_in_pods(propeller: Propeller, store: Store, sample: list[dict]) -> None:
    lines = "".join(json.dumps({"text": row["text"]}) + "\n" for row in sample[:30])
    store.write(f"{FOLDER}/in/a.jsonl", lines.encode())
    given = {"source": f"{FOLDER}/in/", "pieces": f"{FOLDER}/pieces", "workers": 1, "processes": 1}

    made = propeller.start("workflows.corpus.build_snapshot", **given)["o0"]

    assert made["documents"] == 30
    assert made["place"].startswith(f"s3://{BUCKET}/raw/")
    assert store.exists(f"{made['place']}/manifest.json")
    assert ran(propeller) == [
        "plan_pieces",
        "make_share",
        "plan_search",
        "search_share",
        "write_curated",
        "summarise_build",
    ]


@FULL
def test_what_a_pod_would_lose_is_refused_by_the_first_task(propeller: Propeller) -> None:
    with pytest.raises(PodError, match=r"InputError: no lasting place for pieces: .*set ASSAY_PIECES to one"):
        propeller.start("workflows.corpus.build_snapshot", source="missing/")
    with pytest.raises(PodError, match=r"InputError: no lasting place for what is tracked: tracking is 'mlflow'"):
        propeller.start("workflows.training.train_quality_classifier", source="missing.parquet")
    with pytest.raises(PodError, match=r"InputError: target 'local' is this machine"):
        now = datetime.datetime(2026, 1, 31)
        propeller.start("retraining", kickoff=now, source="a.parquet", test_set="b.parquet", target="local")
    assert ran(propeller) == ["plan_pieces", "resolve_training", "resolve_retraining"]


@FULL
def test_a_training_in_pods_comes_from_the_cache_the_second_time(
    propeller: Propeller, store: Store, sample: list[dict], tiny_encoder: Path
) -> None:
    source = put_table(store, f"{FOLDER}/labels.parquet", sample)
    options = {"encoder": str(tiny_encoder), "window_tokens": 48, "epochs": 1, "seeds": 2, "slice_by": ["genre"]}
    given = {"source": source, "rubric": "education", "options": json.dumps(options), "tracking": "none"}

    first = propeller.start("workflows.training.train_quality_classifier", **given)["o0"]

    assert {"train", "try_seed", "evaluate", "register"} <= set(ran(propeller))
    registry = propeller.pods.variables["ASSAY_REGISTRY"]
    assert first["registry"] == registry
    assert store.exists(f"{registry}/versions/{first['version']}/version.json")
    propeller.pods.started.clear()

    again = propeller.start("workflows.training.train_quality_classifier", **given)["o0"]

    assert again == first
    assert ran(propeller) == ["resolve_training", "summarise"], "attributes are encoded anew, and key no cache"
    assert "train" in [mapped(name.rsplit(".", 1)[-1]) for name in propeller.hits]


@FULL
def test_a_corpus_is_filtered_in_pods(
    propeller: Propeller, store: Store, sample: list[dict], versions: Versions
) -> None:
    put_folder(store, Path(versions.registry), propeller.pods.variables["ASSAY_REGISTRY"])
    source = put_table(store, f"{FOLDER}/corpus.parquet", [{"text": row["text"]} for row in sample[:90]])
    given = {"source": source, "model": versions.first, "share": 0.5, "workers": 2, "options": "rows_per_part: 30"}

    made = propeller.start("workflows.filtering.filter_corpus", **given)["o0"]

    assert 0 < made["documents"] <= 45
    assert ran(propeller).count("score_share") == 2
    assert store.exists(f"{made['place']}/manifest.json")


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
    put_folder(store, Path(registry.url), propeller.pods.variables["ASSAY_REGISTRY"])
    with cluster.lock:
        annotations = {"metadata": {"annotations": {"assay/version": versions.first}}}
        merge(cluster.object["spec"], {"template": annotations})
    while cluster.serving != {versions.first}:
        time.sleep(0.05)
    cluster.bad[versions.second] = "CrashLoopBackOff"
    test_set = put_table(store, f"{FOLDER}/test.parquet", sample[60:400])

    with pytest.raises(PodError, match="Deployment"):
        propeller.start(
            "workflows.deployment.promote", challenger=versions.second, data=test_set, in_spite="the test wants it"
        )

    assert ran(propeller) == ["judge_version", "deploy_version", "restore_service"]
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


@FULL
def test_a_watch_in_pods_takes_its_look_and_starts_nothing_while_it_is_quiet(
    propeller: Propeller, store: Store, tiny_model: Path, tmp_path: Path
) -> None:
    from assay.registry import Registry
    from assay.scorelog.files import write_rows

    registry = Registry(str(tmp_path / "registry"))
    version = registry.register(tiny_model, {}).name
    registry.move_alias("champion", version, who="test", why="begin", evidence={}, after=None)
    put_folder(store, tmp_path / "registry", propeller.pods.variables["ASSAY_REGISTRY"])
    now = datetime.datetime.now(datetime.UTC)
    answer = {"score": 1.0, "calibrated": 1.0, "p_keep": 0.1, "grade": 1, "keep": False, "tokens": 40, "read": 1.0}
    row = {**answer, "time": now, "version": version, "language": "en", "in_scope": True, "reason": None}
    write_rows(str(tmp_path / "log"), [row] * 30)
    put_folder(store, tmp_path / "log", f"{FOLDER}/score-log")

    decision = propeller.start(
        "hourly_watch",
        kickoff=(now + datetime.timedelta(minutes=1)).replace(tzinfo=None),
        log=f"{FOLDER}/score-log",
        registry=propeller.pods.variables["ASSAY_REGISTRY"],
        looks=propeller.pods.variables["ASSAY_LOOKS"],
    )["o0"]

    assert decision["outcome"] == "kept"
    assert "No drift look: the window has 30 scored documents" in decision["sentence"]
    assert ran(propeller) == ["look_at_service", "tell_people", "record_look", "stay"]
    assert propeller.launched == ["hourly_watch"]
