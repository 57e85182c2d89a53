"""Measure the memory of building a snapshot by the number of documents: the peak resident size of each stage.

    python -m benchmarks.corpus_memory 100000 1000000

Documents are generated: 60 to 180 words of a vocabulary of 30,000 with Zipf's frequencies, every tenth a near-copy of
an earlier one, in JSONL files of 50,000. Each stage runs alone in a new process.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from assay.curation import BuildConfig, BuildPlan, PieceFolder, assemble, make_pieces, search_bands
from assay.sources import open_source

PER_FILE = 50_000


def write_corpus(folder: Path, documents: int) -> None:
    """Write the documents. The same number gives the same documents."""
    chance = np.random.default_rng(0)
    weights = 1 / np.arange(1, 30_001)
    words = np.array([f"w{n}" for n in range(30_000)])
    for start in range(0, documents, PER_FILE):
        before: list[np.ndarray] = []
        with (folder / f"{start:08d}.jsonl").open("w") as file:
            for row in range(min(PER_FILE, documents - start)):
                if row % 10 == 9:
                    chosen = before[chance.integers(len(before))].copy()
                    chosen[chance.integers(len(chosen))] = chance.integers(30_000)
                else:
                    chosen = chance.choice(30_000, chance.integers(60, 180), p=weights / weights.sum())
                    before = [*before[-200:], chosen]
                file.write(json.dumps({"id": f"{start + row}", "text": " ".join(words[chosen])}) + "\n")


def plan(source: str, root: str) -> None:
    """Resolve the source."""
    PieceFolder.create(root, BuildPlan.of(open_source(source), BuildConfig()))


def clean(root: str) -> None:
    """Make all pieces."""
    folder = _only(root)
    make_pieces(folder, folder.missing_pieces())


def search(root: str) -> None:
    """Find the pairs of all bands."""
    folder = _only(root)
    search_bands(folder, folder.missing_bands())


def write(root: str, output: str) -> None:
    """Write the snapshot."""
    assemble(_only(root), output)


def _only(root: str) -> PieceFolder:
    (place,) = Path(root).iterdir()
    return PieceFolder.open(str(place))


def _peak(told: "multiprocessing.SimpleQueue[float]", work: Callable[..., None], arguments: tuple[str, ...]) -> None:
    work(*arguments)
    told.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(work: Callable[..., None], *arguments: str) -> tuple[float, float]:
    """Return (peak MiB, seconds) of a new process that does only this."""
    # Spawned: a new interpreter, whose peak holds nothing of this process.
    context = multiprocessing.get_context("spawn")
    told = context.SimpleQueue()
    process = context.Process(target=_peak, args=(told, work, arguments))
    started = time.monotonic()
    process.start()
    process.join()
    return told.get(), time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", type=int, nargs="+")
    for documents in parser.parse_args().documents:
        with tempfile.TemporaryDirectory() as scratch:
            source, root, output = f"{scratch}/source", f"{scratch}/pieces", f"{scratch}/snapshot"
            Path(source).mkdir()
            write_corpus(Path(source), documents)
            stages = {plan: (source, root), clean: (root,), search: (root,), write: (root, output)}
            for stage, arguments in stages.items():
                peak, seconds = measured(stage, *arguments)
                print(f"{documents:>9,} {stage.__name__:<8} {peak:6.0f} MiB {seconds:7.1f} s", flush=True)


if __name__ == "__main__":
    main()
