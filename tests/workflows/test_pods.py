"""Every task as its pod runs it: what `make package` compiles is walked by a stand-in for propeller, on a local S3."""

import datetime
import json
from pathlib import Path

import pytest
from compiled import mapped
from judge_server import by_length, judged, serving
from pods import BUCKET, FOLDER, PodError, Store
from propeller import Propeller
from tiny_versions import Versions, lexical_model

from assay.registry import Registry

FULL = pytest.mark.full
pytestmark = pytest.mark.timeout(1800)  # a training is fifteen processes, each of which imports torch


@FULL
def test_a_source_becomes_a_corpus_in_pods(propeller: Propeller, store: Store, sample: list[dict]) -> None:
    """The shortest path, without a search for duplicates: a map over one share, and one over none."""
    made = build(propeller, store, sample[:30], "keep_duplicates: true", workers=1)

    assert made["documents"] == 30
    assert made["place"].startswith(f"s3://{BUCKET}/raw/")
    assert store.exists(f"{made['place']}/manifest.json")
    assert propeller.ran == ["plan_pieces", "make_share", "plan_search", "write_curated", "summarise_build"]


@FULL
def test_a_corpus_without_duplicates_is_made_in_pods(propeller: Propeller, store: Store, sample: list[dict]) -> None:
    made = build(propeller, store, [*sample[:30], *sample[:10]], "", workers=2)

    assert made["documents"] == 30
    assert propeller.ran.count("make_share") == propeller.ran.count("search_share") == 2


def build(propeller: Propeller, store: Store, rows: list[dict], options: str, *, workers: int) -> dict:
    """Return the corpus of documents in as many files as there are workers."""
    folder = f"{FOLDER}/{propeller.pods.folder.parent.name}"
    for first in range(workers):
        lines = "".join(json.dumps({"text": row["text"]}) + "\n" for row in rows[first::workers])
        store.write(f"{folder}/in/{first}.jsonl", lines.encode())
    given = {"source": f"{folder}/in/", "pieces": f"{folder}/pieces", "workers": workers, "processes": 1}
    return propeller.start("workflows.corpus.build_snapshot", **given, options=options)["o0"]


def test_pieces_that_a_pod_would_lose_are_refused_by_the_first_task(propeller: Propeller) -> None:
    with pytest.raises(PodError, match=r"InputError: no lasting place for pieces: .*set ASSAY_PIECES to one"):
        propeller.start("workflows.corpus.build_snapshot", source="missing/")
    assert propeller.ran == ["plan_pieces"]


@FULL
def test_judges_are_asked_in_pods(propeller: Propeller, store: Store, sample: list[dict]) -> None:
    folder = f"{FOLDER}/judged"
    source = store.write_table(f"{folder}/in.parquet", sample[:12])
    given = {"source": source, "answers": f"{folder}/answers", "workers": 1, "options": "{encoder: words}"}
    with serving(lambda body, _: judged(by_length(body))) as server:
        judges = [f"m@{server.url}", "column:rater_1"]
        made = propeller.start("workflows.annotation.annotate", **given, judges=judges)["o0"]
        assert len(server.bodies) == 12
    assert (made["labelled"], made["unanswered"]) == (12, 0)
    assert made["place"].startswith(f"s3://{BUCKET}/raw/")
    assert store.exists(f"{made['place']}/_report.html")
    assert propeller.ran.count("ask_share") == 1


@FULL
def test_what_a_pod_would_lose_is_refused_by_the_first_task(propeller: Propeller) -> None:
    with pytest.raises(PodError, match=r"InputError: no lasting place for what is tracked: tracking is 'mlflow'"):
        propeller.start("workflows.training.train_quality_classifier", source="missing.parquet")
    with pytest.raises(PodError, match=r"InputError: target 'local' is this machine"):
        now = datetime.datetime(2026, 1, 31)
        propeller.start("retraining", kickoff=now, source="a.parquet", test_set="b.parquet", target="local")
    assert propeller.ran == ["resolve_training", "resolve_retraining"]


@FULL
def test_a_training_in_pods_comes_from_the_cache_the_second_time(
    propeller: Propeller, store: Store, sample: list[dict], tiny_encoder: Path
) -> None:
    source = store.write_table(f"{FOLDER}/labels.parquet", sample)
    options = {"encoder": str(tiny_encoder), "window_tokens": 48, "epochs": 1, "seeds": 2, "slice_by": ["genre"]}
    given = {"source": source, "rubric": "education", "options": json.dumps(options), "tracking": "none"}

    first = propeller.start("workflows.training.train_quality_classifier", **given)["o0"]

    assert {"train", "try_seed", "evaluate", "register"} <= set(propeller.ran)
    registry = propeller.pods.variables["ASSAY_REGISTRY"]
    assert first["registry"] == registry
    assert store.exists(f"{registry}/versions/{first['version']}/version.json")
    propeller.pods.started.clear()

    again = propeller.start("workflows.training.train_quality_classifier", **given)["o0"]

    assert again == first
    assert propeller.ran == ["resolve_training", "summarise"], "attributes are encoded anew, and key no cache"
    assert "train" in [mapped(name.rsplit(".", 1)[-1]) for name in propeller.hits]


@FULL
def test_a_corpus_is_filtered_in_pods(
    propeller: Propeller, store: Store, sample: list[dict], versions: Versions
) -> None:
    store.write_folder(Path(versions.registry), propeller.pods.variables["ASSAY_REGISTRY"])
    source = store.write_table(f"{FOLDER}/corpus.parquet", [{"text": row["text"]} for row in sample[:90]])
    given = {"source": source, "model": versions.first, "share": 0.5, "workers": 2, "options": "rows_per_part: 30"}

    made = propeller.start("workflows.filtering.filter_corpus", **given)["o0"]

    assert 0 < made["documents"] <= 45
    assert propeller.ran.count("score_share") == 2
    assert store.exists(f"{made['place']}/manifest.json")


@FULL
def test_a_corpus_is_filtered_in_a_cascade_in_pods(
    propeller: Propeller, store: Store, sample: list[dict], tmp_path: Path
) -> None:
    registry = Registry(str(tmp_path / "registry"))
    full, cheap = (
        registry.register(lexical_model(tmp_path / str(words), sample, words), {}).name for words in (300, 30)
    )
    store.write_folder(Path(registry.url), propeller.pods.variables["ASSAY_REGISTRY"])
    rows = [{"text": f"{row['text']} {copy}"} for copy in range(2) for row in sample]
    source = store.write_table(f"{FOLDER}/cascade.parquet", rows)
    options = "{rows_per_part: 300, certify_documents: 600, keep_duplicates: true}"
    given = {"source": source, "model": full, "cheap": cheap, "recall": 0.9, "workers": 2, "options": options}

    made = propeller.start("workflows.cascade.filter_in_cascade", **given)["o0"]

    assert made["documents"] > 0
    assert propeller.ran.count("score_share") == 4
    assert {"certify_cut", "plan_rest"} <= set(propeller.ran)
