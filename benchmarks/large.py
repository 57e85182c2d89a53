"""Measure each step from a crawl where it lies to a selection by several processes: peak memory, time, objects.

    nice python -m benchmarks.large 100000 1000000

Documents are made: 20 to 60 words of a vocabulary of 30,000 with Zipf's frequencies, in Parquet files of 50,000 with
row groups of 1,000. The model is of words alone, fitted to the shipped sample: it shows what the steps cost, and not
what a score is worth. Each step runs alone in a new process, and each map with one of its shares.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.inference import Scorer
from assay.model import Calibration, ModelInfo, Windows, save_model
from assay.rubric import load_rubric
from assay.scoring import ScoringConfig, find_scores, score_corpus
from assay.selection import (
    CountedShare,
    CountShare,
    Draft,
    SelectionRequest,
    SelectionShare,
    WrittenShare,
    count_share,
    finish_selection,
    plan_counting,
    plan_writing,
    prepared,
    write_share,
)
from assay.sources import Columns, open_source, refer
from assay.storage import Snapshot, parse_json
from assay.training.lexical import fit_lexical

PER_FILE = 50_000
WORKERS = 8
SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "documents.jsonl"
REQUEST = SelectionRequest(share=0.1, keep_duplicates=True)


def write_corpus(folder: Path, documents: int) -> None:
    """Write the documents. The same number gives the same documents."""
    chance = np.random.default_rng(0)
    bounds = np.cumsum(1 / np.arange(1, 30_001))
    words = np.array([f"w{n}" for n in range(30_000)])
    for start in range(0, documents, PER_FILE):
        lengths = chance.integers(20, 60, min(PER_FILE, documents - start))
        drawn = words[np.searchsorted(bounds, chance.random(lengths.sum()) * bounds[-1])]
        texts = [" ".join(some) for some in np.split(drawn, np.cumsum(lengths)[:-1])]
        ids = [f"{row:012d}" for row in range(start, start + len(texts))]
        pq.write_table(pa.table({"id": ids, "text": texts}), folder / f"{start:012d}.parquet", row_group_size=1_000)


def write_model(folder: Path) -> None:
    """Write a model of words, fitted to the sample."""
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    texts, labels = [row["text"] for row in rows], np.array([float(row["label"]) for row in rows])
    rubric = load_rubric("education")
    model = fit_lexical(texts, labels, ModelInfo("", rubric, Windows(256), kind="lexical")).model
    scores = Scorer(model).read(texts).score
    made = Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)
    model.info = replace(model.info, calibration=made)
    folder.mkdir()
    save_model(model, folder)


def libraries(work: str) -> None:
    """Do nothing: what a process holds before it does anything."""


def adopt(work: str) -> None:
    """Read the footers."""
    refer(open_source(f"{work}/crawl"), Columns(), f"{work}/corpus")


def score(work: str) -> None:
    """Score all parts in one process."""
    config = ScoringConfig(rows_per_part=20_000)
    score_corpus(f"{work}/corpus", Path(work) / "model", Columns(), f"{work}/scores", config, processes=1)


def plan_cut(work: str) -> None:
    """Find the bin of the cut, and deal out the parts."""
    for number, share in enumerate(plan_counting(_writing(work), WORKERS)):
        _put(work, f"count-{number}", share)


def count_one(work: str) -> None:
    """Count one share."""
    _put(work, "counted-0", count_share(_get(work, "count-0", CountShare)))


def count_others(work: str) -> None:
    """Count the other shares."""
    for number in range(1, len(list(Path(work).glob("count-*")))):
        _put(work, f"counted-{number}", count_share(_get(work, f"count-{number}", CountShare)))


def plan_shards(work: str) -> None:
    """Settle the cut, and deal out the shards."""
    names = sorted(path.stem for path in Path(work).glob("counted-*"))
    draft, shares = plan_writing(
        _writing(work), [_get(work, name, CountedShare) for name in names], f"{work}/selection", WORKERS
    )
    _put(work, "draft", draft)
    for number, share in enumerate(shares):
        _put(work, f"write-{number}", share)


def write_shards(work: str) -> None:
    """Write all shares, one after the other: the memory is that of the largest."""
    for number in range(len(list(Path(work).glob("write-*")))):
        _put(work, f"written-{number}", write_share(_get(work, f"write-{number}", SelectionShare)))


def finish(work: str) -> None:
    """Write the manifest, the card and the report."""
    names = sorted(Path(work).glob("written-*"), key=lambda path: int(path.stem.partition("-")[2]))
    found = [_get(work, path.stem, WrittenShare) for path in names]
    finish_selection(_writing(work), _get(work, "draft", Draft), found)


def _told(told: Any, step: Callable[[str], None], work: str) -> None:
    started = time.monotonic()
    step(work)
    seconds = time.monotonic() - started
    # Not ru_maxrss: that of a new process begins with what its parent held.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    told.put((peak, seconds))


def measured(step: Callable[[str], None], work: str) -> tuple[float, float]:
    """Return (peak MiB, seconds without the imports) of a new process that does only this."""
    context = multiprocessing.get_context("spawn")
    told = context.SimpleQueue()
    process = context.Process(target=_told, args=(told, step, work))
    process.start()
    process.join()
    peak, seconds = told.get()
    return float(peak), float(seconds)


def _writing(work: str) -> Any:
    corpus = Snapshot.open(f"{work}/corpus")
    return prepared(corpus, find_scores(f"{work}/scores", corpus.manifest.version), Path(work) / "model", REQUEST)


def _put(work: str, name: str, value: Any) -> None:
    (Path(work) / f"{name}.json").write_text(json.dumps(asdict(value)), encoding="utf-8")


def _get(work: str, name: str, kind: Any) -> Any:
    return parse_json(kind, (Path(work) / f"{name}.json").read_bytes(), what=name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", type=int, nargs="+")
    for documents in parser.parse_args().documents:
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "crawl").mkdir()
            write_corpus(Path(work) / "crawl", documents)
            write_model(Path(work) / "model")
            for step in (libraries, adopt, score, plan_cut, count_one, count_others, plan_shards, write_shards, finish):
                peak, seconds = measured(step, work)
                print(f"{documents:>10,} {step.__name__:<12} {peak:6.0f} MiB {seconds:7.1f} s", flush=True)
            parts = list(Path(work, "scores").rglob("rows-*.parquet"))
            shards = list(Path(work, "selection").glob("part-*.parquet"))
            files = list(Path(work, "crawl").iterdir())
            print(
                f"{documents:>10,} {len(files)} files, {len(parts)} parts of scores of "
                f"{sum(path.stat().st_size for path in parts) / 1e6:.1f} MB, {len(shards)} shards"
            )


if __name__ == "__main__":
    main()
