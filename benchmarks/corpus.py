"""Compare every stage from files to a clean corpus with plain datatrove: the same files and filters, on one core.

    pip install --target FOLDER orjson warcio faust-cchardet python-magic six    # for datatrove's own readers
    PYTHONPATH=FOLDER python -m benchmarks.corpus ../shared/data --repeats 5

Both sides run in turn in each repeat. A figure is the median of the repeats, a ratio the median of the ratios within a
repeat. MB are of text in UTF-8, or of HTML for pages. datatrove's language identification needs a model from a hub, so
both sides use that of `assay.language`. datatrove's extraction runs with its own settings: `benchmarks.extraction`
compares their results with those of Assay.
"""

import argparse
import contextlib
import gzip
import importlib.util
import json
import os
import re
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from assay.cleaning import Cleaner, Extractor, Page, preset
from assay.cleaning.words import english_words
from assay.curation import BuildConfig, build_snapshot
from assay.dedup import EXACT, DedupConfig, Marks, clusters_of, marks, normalise, pairs_of_band, shingles
from assay.language import identify_language
from assay.sources import open_source

PLACEHOLDER = re.compile(
    r"email@example\.com|firstname\.lastname@example\.org|22\.214\.171\.124|126\.96\.36\.199|188\.8\.131\.52"
    r"|184\.220\.40\.206|220\.127\.116\.11|18\.104\.22\.168"
)
"""Placeholders that datatrove's masking uses in turn, through all documents. Assay starts again with each document."""
HASHES = {"datatrove, 14 x 8": (14, 8), "datatrove, 18 x 7": (18, 7)}
"""Buckets, and hashes in a bucket: datatrove's default, and about as many hashes as the 128 of Assay."""


@dataclass(frozen=True)
class Work:
    """A stage that both sides run on the same documents."""

    stage: str
    documents: int
    size: int
    """Size of the documents in bytes."""
    ways: dict[str, Callable[[], Any]]
    """Name -> function that runs the stage. The first is Assay's."""


def measure(work: Work, repeats: int) -> dict[str, Any]:
    """Run all ways in turn after one unmeasured run, print their figures, and return the result of each."""
    seconds: dict[str, list[float]] = {name: [] for name in work.ways}
    results = {name: way() for name, way in work.ways.items()}
    for repeat in range(repeats):
        names = list(work.ways)
        for name in names if repeat % 2 == 0 else names[::-1]:
            started = time.perf_counter()
            results[name] = work.ways[name]()
            seconds[name].append(time.perf_counter() - started)
    ours = next(iter(work.ways))
    for name, spent in seconds.items():
        median = statistics.median(spent)
        ratio = statistics.median(theirs / mine for mine, theirs in zip(seconds[ours], spent, strict=True))
        print(
            f"| {work.stage} | {name} | {work.documents / median:,.0f} | {work.size / median / 1e6:.2f} | {ratio:.2f} |"
            f"  <!-- {min(spent):.2f} to {max(spent):.2f} s -->",
            flush=True,
        )
    return results


class Silence:
    """Context manager that turns off datatrove's progress lines on stderr."""

    def __enter__(self) -> None:
        from datatrove.utils.logging import logger

        logger.remove()

    def __exit__(self, *_: object) -> None:
        pass


def documents(texts: Iterable[str]) -> Iterator[Any]:
    """Return texts as datatrove's documents."""
    from datatrove.data import Document

    return (Document(text=text, id=str(row)) for row, text in enumerate(texts))


def through(steps: list[Any], data: Any = None) -> Any:
    """Return the output of datatrove's steps."""
    for step in steps:
        data = step.run(data)
    return data


def fineweb_steps() -> list[Any]:
    """Return FineWeb's recipe without its list of blocked URLs, and with Assay's language identification."""
    from datatrove.pipeline import filters
    from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter

    class Language(filters.base_filter.BaseFilter):  # type: ignore[misc,name-defined]
        name = "language"

        def filter(self, doc: Any) -> bool:
            found = identify_language(doc.text)
            return found.code == "en" and found.probability >= preset("fineweb").language_probability

    return [
        FTFYFormatter(),
        Language(),
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        filters.C4QualityFilter(filter_no_terminal_punct=False),
        filters.FineWebQualityFilter(),
        PIIFormatter(),
    ]


def reading(texts: pa.Table, data: Path, work: Path, repeats: int) -> None:
    """Measure reading: Assay gives Arrow batches, datatrove gives objects."""
    from datatrove.pipeline.readers import JsonlReader, ParquetReader, WarcReader

    def ours(place: Path) -> Callable[[], int]:
        return lambda: sum(batch.num_rows for batch in open_source(str(place)).batches())

    def as_objects(place: Path) -> Callable[[], int]:
        return lambda: sum(len(batch.to_pylist()) for batch in open_source(str(place)).batches())

    def theirs(reader: Callable[[], Any]) -> Callable[[], int]:
        return lambda: sum(1 for _ in reader().run())

    size = sum(len(text.encode()) for text in texts["text"].to_pylist())
    folders = {kind: work / kind for kind in ("jsonl", "parquet", "warc")}
    for folder in folders.values():
        folder.mkdir()
    rows = texts.to_pylist()
    for part in range(2):
        with gzip.open(folders["jsonl"] / f"part-{part}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows[part::2])
        pq.write_table(texts.take(list(range(part, len(rows), 2))), folders["parquet"] / f"part-{part}.parquet")
    cases = [
        ("read JSONL.gz", "jsonl", "orjson", lambda: JsonlReader(str(folders["jsonl"]))),
        ("read Parquet", "parquet", "pyarrow", lambda: ParquetReader(str(folders["parquet"]))),
    ]
    for stage, kind, needs, reader in cases:
        ways = {"assay": ours(folders[kind]), "assay, rows as objects": as_objects(folders[kind])}
        if importlib.util.find_spec(needs):
            ways["datatrove"] = theirs(reader)
        found = measure(Work(stage, len(rows), size, ways), repeats)
        assert set(found.values()) == {len(rows)}, found
    copies = 10
    for archive in sorted((data / "warc_samples").glob("*.warc.gz")):
        packed = archive.read_bytes()  # gzip members, so that a repetition of the bytes is an archive too
        (folders["warc"] / archive.name).write_bytes(packed * copies)
    pages = [row for batch in open_source(str(folders["warc"])).batches() for row in batch.to_pylist()]
    ways = {"assay": ours(folders["warc"])}
    if importlib.util.find_spec("warcio") and importlib.util.find_spec("cchardet"):
        ways["datatrove"] = theirs(lambda: WarcReader(str(folders["warc"])))
    found = measure(Work("read WARC", len(pages), sum(len(page["html"]) for page in pages), ways), repeats)
    print("pages found:", found)


def extraction(data: Path, repeats: int, limit: int) -> None:
    """Measure extraction, each side in a separate process with its limit of time."""
    from datatrove.pipeline.extractors import Trafilatura

    files = sorted((data / "web_pages/html").glob("*.html.gz"))[:limit]
    pages = [Page(gzip.decompress(file.read_bytes())) for file in files]
    as_text = [page.html.decode("utf-8", "replace") for page in pages]

    def theirs(**options: Any) -> Callable[[], int]:
        return lambda: sum(1 for _ in Trafilatura(timeout=10, **options).run(documents(as_text)))

    size = sum(len(page.html) for page in pages)
    with Extractor() as extractor:
        ways = {
            "assay": lambda: sum(bool(each.text) for each in extractor.extract(pages)),
            "datatrove": theirs(),
            "datatrove, Trafilatura as we set it": theirs(favour_precision=False, deduplicate=False),
        }
        print("pages with text:", measure(Work("extract", len(pages), size, ways), repeats))


def cleaning(texts: list[str], repeats: int) -> None:
    """Measure cleaning, and assert that both keep the same documents and texts, apart from the placeholders."""

    def ours() -> list[str]:
        english_words.cache_clear()  # it would remember these texts from the last repeat
        cleaner = Cleaner(preset("fineweb"))
        return [found.text for found in map(cleaner.clean, texts) if not found.reason]

    def theirs() -> list[str]:
        return [document.text for document in through(fineweb_steps(), documents(texts))]

    found = measure(Work("clean", len(texts), _bytes(texts), {"assay": ours, "datatrove": theirs}), repeats)
    mine, other = ([PLACEHOLDER.sub("|", text) for text in found[name]] for name in ("assay", "datatrove"))
    assert mine == other, "not the same documents are kept"
    print(f"kept by both, with the same texts: {len(mine)} of {len(texts)}")


def _bytes(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


@dataclass
class InMemory:
    """Marks of one part, held in memory."""

    marks: Marks

    @property
    def starts(self) -> Any:
        return np.array([0, len(self.marks.digest)])

    def keys(self, part: int, band: int) -> Any:  # noqa: ARG002
        return self.marks.digest[:, 0] if band == EXACT else self.marks.bands[:, band]

    def bits(self, part: int, rows: Any) -> Any:  # noqa: ARG002
        return self.marks.bits[rows]

    def digests(self, part: int, rows: Any) -> Any:  # noqa: ARG002
        return self.marks.digest[rows]


def our_clusters(texts: list[str]) -> Any:
    """Return the cluster of each text by Assay."""
    config = DedupConfig()
    found = InMemory(marks(texts, config))
    bands = [EXACT, *range(found.marks.bands.shape[1])]
    rows, cluster = clusters_of([pairs_of_band(found, band, config) for band in bands])
    every = np.arange(len(texts))
    every[rows] = cluster
    return every


def _hash(text: str) -> int:
    return int(xxhash.xxh64_intdigest(text.encode()))


def their_steps(work: Path, buckets: int, hashes: int) -> tuple[Any, list[Any]]:
    """Return datatrove's configuration and its first three steps, which run one after the other."""
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    config = MinhashConfig(num_buckets=buckets, hashes_per_bucket=hashes)
    signature = MinhashDedupSignature(str(work / "signatures"), config)
    signature._hash_func = _hash  # datatrove passes str, which xxhash refuses since version 4
    return config, [
        signature,
        MinhashDedupBuckets(str(work / "signatures"), str(work / "pairs"), config=config),
        MinhashDedupCluster(str(work / "pairs"), str(work / "remove"), config, save_cluster_id=True),
    ]


def their_clusters(texts: list[str], buckets: int, hashes: int) -> Any:
    """Return the cluster of each text by datatrove's four steps."""
    from datatrove.pipeline.dedup import MinhashDedupFilter

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _, (signature, pairs, cluster) = their_steps(work, buckets, hashes)
        signature.run(documents(texts))
        for rank in range(buckets):
            pairs.run(rank=rank, world_size=buckets)
        cluster.run()
        kept = sum(1 for _ in MinhashDedupFilter(str(work / "remove")).run(documents(texts)))
        every = np.arange(len(texts)) + len(texts)
        file = work / "remove/000000.clusters"
        for row, number in struct.iter_unpack("<2I", file.read_bytes()) if file.exists() else []:
            every[row] = number
        assert kept == len(np.unique(every))
        return every


def near_duplicates(texts: list[str], repeats: int) -> None:
    """Measure speed on real texts, and recall on texts with planted near-duplicates against all pairs."""
    ways: dict[str, Callable[[], Any]] = {"assay": lambda: our_clusters(texts)}
    for name, (buckets, hashes) in HASHES.items():
        ways[name] = lambda buckets=buckets, hashes=hashes: their_clusters(texts, buckets, hashes)
    measure(Work("near-duplicates", len(texts), _bytes(texts), ways), repeats)

    from tests.assay.dedup.test_mapped import corpus

    # datatrove treats all numbers as equal, and the words of these texts differ only in their numbers.
    planted = [text.translate(str.maketrans("0123456789", "abcdefghij")) for text in corpus(3_000, seed=5)[0]]
    similarity = all_similarities(planted)
    least = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
    print(f"| | {' | '.join(f'recall {low:g} to {low + 0.05:g}' for low in least)} | dropped | of those, ≥ .7 | < .6 |")
    print("|" + "---|" * (len(least) + 4))
    for name, find in (
        ("assay", lambda: our_clusters(planted)),
        *((name, lambda b=b, h=h: their_clusters(planted, b, h)) for name, (b, h) in HASHES.items()),
    ):
        cluster = find()
        together = np.triu(cluster[:, None] == cluster[None], 1)
        recall = [together[(similarity >= low) & (similarity < low + 0.05)].mean() for low in least]
        dropped = len(planted) - len(np.unique(cluster))
        both = np.maximum(similarity, similarity.T)
        nearest = np.where(together | together.T, both, 0).max(axis=1)[(together | together.T).any(axis=1)]
        cells = " | ".join(f"{share:.2f}" for share in recall)
        print(f"| {name} | {cells} | {dropped} | {(nearest >= 0.7).mean():.3f} | {(nearest < 0.6).mean():.3f} |")


def all_similarities(texts: list[str]) -> Any:
    """Return the Jaccard similarity of the five-word shingles of all pairs, shape (n, n), above the diagonal."""
    from scipy.sparse import csr_array

    sets = [shingles(normalise(text), words=5, characters=5) for text in texts]
    vocabulary, columns = np.unique(np.concatenate(sets), return_inverse=True)
    owner = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    member = csr_array((np.ones(len(columns), np.int32), (owner, columns)), shape=(len(sets), len(vocabulary)))
    shared = (member @ member.T).toarray()
    sizes = shared.diagonal()
    return np.triu(shared / (sizes[:, None] + sizes[None] - shared), 1)


def whole(texts: pa.Table, repeats: int) -> None:
    """Measure all steps together: from Parquet files to a clean, deduplicated corpus in Parquet files."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupFilter
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for part in range(2):
            rows = list(range(part, texts.num_rows, 2))
            pq.write_table(texts.take(rows), source / f"part-{part}.parquet")

        def ours() -> int:
            english_words.cache_clear()
            with tempfile.TemporaryDirectory() as place:
                config = BuildConfig(clean=preset("fineweb"))
                return build_snapshot(str(source), f"{place}/out", f"{place}/work", config).manifest.rows

        def theirs() -> int:
            with tempfile.TemporaryDirectory() as place:
                run = Path(place)
                config, (signature, pairs, cluster) = their_steps(run, 14, 8)
                clean = str(run / "clean")
                kept = MinhashDedupFilter(str(run / "remove"))
                pipelines = [
                    ([ParquetReader(str(source)), *fineweb_steps(), ParquetWriter(clean, compression="zstd")], 1),
                    ([ParquetReader(clean), signature], 1),
                    ([pairs], config.num_buckets),
                    ([cluster], 1),
                    ([ParquetReader(clean), kept, ParquetWriter(str(run / "out"), compression="zstd")], 1),
                ]
                for number, (steps, tasks) in enumerate(pipelines):
                    LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(run / f"log{number}")).run()
                return sum(pq.read_metadata(file).num_rows for file in (run / "out").glob("*.parquet"))

        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
            ways = {"assay": ours, "datatrove": theirs}
            size = _bytes(texts["text"].to_pylist())
            print("kept:", measure(Work("whole", texts.num_rows, size, ways), repeats))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds fineweb_raw/, web_pages/ and warc_samples/")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--documents", type=int, default=2_000, help="most documents of fineweb_raw")
    parser.add_argument("--pages", type=int, default=100, help="most pages of web_pages")
    parser.add_argument("--stages", nargs="+", default=["read", "extract", "clean", "duplicates", "whole"])
    options = parser.parse_args()
    table = pq.read_table(options.data / "fineweb_raw")[: options.documents]
    texts = table["text"].to_pylist()
    print(f"{len(texts)} documents, {_bytes(texts) / 1e6:.1f} MB", file=sys.stderr)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, children included
    print("| stage | | documents/s | MB/s | times as long as assay |\n|---|---|---|---|---|")
    with Silence(), tempfile.TemporaryDirectory() as work:
        if "read" in options.stages:
            reading(table, options.data, Path(work), options.repeats)
        if "extract" in options.stages:
            extraction(options.data, options.repeats, options.pages)
        if "clean" in options.stages:
            cleaning(texts, options.repeats)
        if "duplicates" in options.stages:
            near_duplicates(texts, options.repeats)
        if "whole" in options.stages:
            whole(table, options.repeats)


if __name__ == "__main__":
    main()
