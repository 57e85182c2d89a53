"""Any raw source in; a clean, deduplicated, versioned snapshot out."""

from functools import partial

from flytekit import map_task, workflow

from tasks.curate import make_share, plan_pieces, plan_search, search_share, write_curated
from tasks.curate_summary import CuratedCorpus, summarise_build


@workflow
def build_snapshot(
    source: str,
    preset: str = "none",
    text_column: str = "text",
    id_column: str = "",
    benchmarks: str = "",
    keep_duplicates: bool = False,
    similarity: float = 0.7,
    page_seconds: float = 10.0,
    shard_megabytes: int = 256,
    workers: int = 4,
    processes: int = 2,
    pieces: str = "",
) -> CuratedCorpus:
    """Clean every member of a source; a run that was stopped goes on with the pieces that are missing.

    Args:
        source: Parquet, JSONL, CSV, WARC, WET or HTML (file, folder, URL), hf://datasets/…, installed-docs[:PACKAGE,…]
        preset: what is done to a document: none, or fineweb (repair, English alone, FineWeb's filters, masking)
        text_column: the column of the documents; web pages have none
        id_column: a stable name of each document; without one, `id` or a digest of the text
        benchmarks: folder of benchmark texts; documents that share a word 13-gram with one are marked
        keep_duplicates: look for no duplicates
        similarity: estimated Jaccard similarity from which texts are near-duplicates
        page_seconds: for the extraction of one web page
        shard_megabytes: size of the snapshot's shards, about
        workers: tasks among which the missing pieces, and the bands of the search, are dealt out
        processes: in each of those that clean
        pieces: where pieces go and are looked for; without one, the work folder
    """
    planned = plan_pieces(
        source=source,
        preset_name=preset,
        text_column=text_column,
        id_column=id_column,
        benchmarks=benchmarks,
        keep_duplicates=keep_duplicates,
        similarity=similarity,
        page_seconds=page_seconds,
        shard_megabytes=shard_megabytes,
        workers=workers,
        pieces=pieces,
    )
    made = map_task(partial(make_share, processes=processes))(share=planned.shares)
    search = plan_search(given=planned.given, made=made, workers=workers)
    searched = map_task(search_share)(share=search.shares)
    curated = write_curated(
        folder=planned.given.folder,
        plan=planned.given.plan,
        shard_megabytes=shard_megabytes,
        searched=searched,
    )
    return summarise_build(
        given=planned.given,
        snapshot=curated.snapshot,
        there=planned.there,
        made=made,
        planned=search.there,
        searched=searched,
        written=curated.stage,
    )
