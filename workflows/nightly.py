"""From the documents of the last days to the best of them, by the champion of the moment."""

import datetime

from flytekit import workflow

from tasks.clock import days_before
from tasks.filter_summary import Selection
from workflows.filtering import filter_corpus
from workflows.launch_plans import planned


@workflow
def filter_new_documents(
    kickoff: datetime.datetime,
    source: str,
    model: str = "champion",
    text_column: str = "text",
    time_column: str = "",
    days: int = 1,
    token_budget: int | None = None,
    share: float | None = None,
    tokenizer: str = "",
    options: str = "",
    workers: int = 4,
    registry: str = "",
    scores: str = "",
) -> Selection:
    """Filter the documents of the days before a moment. Parts that were scored before are not scored again.

    Args:
        kickoff: the scheduled moment
        source: snapshot, Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/…
        model: alias, version or its first characters, in the registry
        text_column: column of the documents
        time_column: column of the times; empty: all documents of the source are used
        days: length of the period that ends at kickoff; 0: all documents until then
        token_budget: number of tokens of the best documents; without it and share, the model's own threshold
        share: share of the documents in scope, the best of them
        tokenizer: folder or OWNER/NAME@REVISION that counts tokens; empty: an estimate from bytes
        options: any other option of `filter_corpus`, as YAML or JSON or the name of a shipped file
        workers: tasks among which the missing parts are dealt out
        registry: folder or URL of the registry; empty: in the work folder
        scores: folder or URL of the scores; empty: in the work folder
    """
    period = days_before(kickoff=kickoff, days=days, time_column=time_column)
    return filter_corpus(
        source=source,
        model=model,
        text_column=text_column,
        time_column=time_column,
        since=period.since,
        until=period.until,
        token_budget=token_budget,
        share=share,
        tokenizer=tokenizer,
        options=options,
        workers=workers,
        registry=registry,
        scores=scores,
    )


nightly_filtering = planned("nightly_filtering", filter_new_documents)
