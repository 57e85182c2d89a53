"""From a raw source to a clean, deduplicated, versioned snapshot."""

from functools import partial

from flytekit import map_task, workflow

from tasks.curate import make_share, plan_pieces, plan_search, search_share, write_curated
from tasks.curate_summary import CuratedCorpus, summarise_build


@workflow
def build_snapshot(
    source: str,
    preset: str = "none",
    text_column: str = "text",
    benchmarks: str = "",
    options: str = "",
    workers: int = 4,
    processes: int = 2,
    pieces: str = "",
) -> CuratedCorpus:
    """Clean every member of a source; a run that was stopped resumes with the pieces that are missing.

    Args:
        source: Parquet, JSONL, CSV, WARC, WET or HTML (file, folder, URL), hf://datasets/…, installed-docs[:PACKAGE,…]
        preset: named cleaning: none, or fineweb (repair, English alone, FineWeb's filters, masking)
        text_column: column of the documents; web pages have none
        benchmarks: folder of benchmark texts; documents that share a word 13-gram with one of them are marked
        options: any other option of `assay snapshot build --help`, as YAML or JSON or the name of a shipped file,
            such as '{similarity: 0.8, page_seconds: 20}' or configs/crawl.yaml
        workers: tasks among which the missing pieces, and the bands of the search, are dealt out
        processes: processes in each task that cleans
        pieces: folder or URL of the pieces; empty: in the work folder
    """
    planned = plan_pieces(
        source=source,
        preset=preset,
        text_column=text_column,
        benchmarks=benchmarks,
        options=options,
        workers=workers,
        pieces=pieces,
    )
    made = map_task(partial(make_share, processes=processes))(share=planned.shares)
    search = plan_search(folder=planned.folder, made=made, workers=workers)
    searched = map_task(search_share)(share=search.shares)
    curated = write_curated(
        folder=planned.folder,
        plan=planned.plan,
        shard_megabytes=planned.shard_megabytes,
        searched=searched,
    )
    return summarise_build(
        started=planned.started,
        snapshot=curated.snapshot,
        there=planned.there,
        made=made,
        planned=search.there,
        searched=searched,
        written=curated.stage,
    )
