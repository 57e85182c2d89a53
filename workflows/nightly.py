"""The documents of a day, scored by the champion of the night, and the best of them selected."""

import datetime

from flytekit import workflow

from tasks.clock import days_before
from tasks.filter_summary import Selection
from workflows.filtering import filter_corpus


@workflow
def filter_new_documents(
    kickoff: datetime.datetime,
    source: str,
    model: str = "champion",
    text_column: str = "text",
    id_column: str = "",
    time_column: str = "",
    days: int = 1,
    token_budget: int | None = None,
    share: float | None = None,
    keep_duplicates: bool = False,
    slice_by: str = "",
    rows_per_part: int = 5000,
    workers: int = 4,
    registry: str = "",
    scores: str = "",
) -> Selection:
    """Filter what came in the days before a moment. Parts that were scored before are not scored again.

    Args:
        kickoff: the scheduled moment
        source: snapshot, Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/…
        model: alias, version or its first characters, in the registry
        text_column: the column of the documents
        id_column: a stable name of each document; without one, `id` or a digest of the text
        time_column: when each document came; without one, all documents of the source are taken
        days: of the period that ends at kickoff; 0: all until then
        token_budget: so many tokens of the best documents; this or share, or neither
        share: so large a share of the documents in scope; without either, the model's own threshold
        keep_duplicates: take near-duplicates of taken documents too
        slice_by: a column whose values are counted apart
        rows_per_part: documents whose scores appear at once
        workers: tasks among which the missing parts are dealt out
        registry: where the model is; without one, the work folder
        scores: where scores go and are looked for; without one, the work folder
    """
    period = days_before(kickoff=kickoff, days=days, time_column=time_column)
    return filter_corpus(
        source=source,
        model=model,
        text_column=text_column,
        id_column=id_column,
        time_column=time_column,
        since=period.since,
        until=period.until,
        token_budget=token_budget,
        share=share,
        keep_duplicates=keep_duplicates,
        slice_by=slice_by,
        rows_per_part=rows_per_part,
        workers=workers,
        registry=registry,
        scores=scores,
    )
