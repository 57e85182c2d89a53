"""A raw corpus and a registered model in; the best documents out, for a budget of tokens."""

from functools import partial

from flytekit import map_task, workflow

from tasks.corpus import acquire_corpus
from tasks.filter_summary import Selection, summarise_filtering
from tasks.resolve_filtering import resolve_filtering
from tasks.score import plan_parts, score_share
from tasks.select import select_documents


@workflow
def filter_corpus(
    source: str,
    model: str = "champion",
    text_column: str = "text",
    id_column: str = "",
    time_column: str = "",
    since: str = "",
    until: str = "",
    token_budget: int | None = None,
    share: float | None = None,
    threshold: float | None = None,
    keep: str = "",
    keep_duplicates: bool = False,
    tokenizer: str = "",
    slice_by: str = "",
    rows_per_part: int = 5000,
    workers: int = 4,
    registry: str = "",
    scores: str = "",
) -> Selection:
    """Score a corpus in parts, and select from it; a run that was stopped goes on with the parts that are missing.

    Args:
        source: snapshot, Parquet, JSONL or CSV (file, folder, URL), hf://datasets/…, or installed-docs[:PACKAGE,…]
        model: alias, version or its first characters, in the registry
        text_column: the column of the documents
        id_column: a stable name of each document; without one, `id` or a digest of the text
        time_column: when each document is of, where only those of a period are to be taken
        since: the period's beginning, ISO 8601; without one, that of the documents
        until: its end, which is not in it; without one, that of the documents
        token_budget: so many tokens of the best documents; this, share, threshold or keep, or none of them
        share: so large a share of the documents in scope, the best of them
        threshold: documents from this grade
        keep: f1, precision=0.8 or recall=0.9 of the kept class; without any of the four, the model's own threshold
        keep_duplicates: take near-duplicates of taken documents too
        tokenizer: what counts tokens, a folder or OWNER/NAME@REVISION; without one, an estimate from bytes
        slice_by: a column whose values are counted apart
        rows_per_part: documents whose scores appear at once; more on fast machines
        workers: tasks among which the missing parts are dealt out
        registry: where the model is; without one, the work folder
        scores: where scores go and are looked for; without one, the work folder
    """
    given = resolve_filtering(
        source=source,
        model=model,
        text_column=text_column,
        id_column=id_column,
        time_column=time_column,
        since=since,
        until=until,
        token_budget=token_budget,
        share=share,
        threshold=threshold,
        keep=keep,
        keep_duplicates=keep_duplicates,
        tokenizer=tokenizer,
        slice_by=slice_by,
        rows_per_part=rows_per_part,
        registry=registry,
        scores=scores,
    )
    corpus = acquire_corpus(source=given.source, revision=given.revision, columns=given.columns, period=given.period)
    planned = plan_parts(corpus=corpus.snapshot, given=given, workers=workers)
    scored = map_task(partial(score_share, corpus=corpus.snapshot, given=given))(share=planned.shares)
    selected = select_documents(
        corpus=corpus.snapshot,
        folder=planned.folder,
        plan=planned.plan,
        registry=given.registry,
        version=given.version,
        request=given.request,
        scored=scored,
    )
    return summarise_filtering(
        given=given,
        selection=selected.selection,
        acquired=corpus.stage,
        there=planned.there,
        scored=scored,
        selected=selected.stage,
    )
