"""From a raw corpus and a registered model to the best documents, for a budget of tokens."""

from functools import partial

from flytekit import conditional, map_task, workflow

from tasks.corpus import acquire_corpus
from tasks.count_scores import count_scores
from tasks.filter_summary import Selection, summarise_filtering
from tasks.plan_cut import plan_cut
from tasks.plan_shards import plan_shards
from tasks.resolve_filtering import resolve_filtering
from tasks.score import measure_and_plan_parts, plan_parts, score_share
from tasks.select import select_documents
from tasks.write_selected import write_selected


@workflow
def filter_corpus(
    source: str,
    model: str = "champion",
    text_column: str = "text",
    time_column: str = "",
    since: str = "",
    until: str = "",
    token_budget: int | None = None,
    share: float | None = None,
    tokenizer: str = "",
    options: str = "",
    workers: int = 4,
    registry: str = "",
    scores: str = "",
) -> Selection:
    """Score a corpus in parts, and select from it; a run that was stopped resumes with the parts that are missing.

    Args:
        source: snapshot, Parquet, JSONL or CSV (file, folder, URL), hf://datasets/…, or installed-docs[:PACKAGE,…]
        model: alias, version or its first characters, in the registry
        text_column: column of the documents
        time_column: column of the times, if only the documents of a period are used
        since: start of the period, ISO 8601; empty: from the beginning
        until: end of the period, excluded; empty: to the end
        token_budget: number of tokens of the best documents; without it and share, the model's own threshold
        share: share of the documents in scope, the best of them
        tokenizer: folder or OWNER/NAME@REVISION that counts tokens; empty: an estimate from bytes
        options: any other option of `assay score --help` and `assay select --help`, as YAML or JSON or the name of a
            shipped file, such as '{keep: recall=0.9, rows_per_part: 20000}' or configs/filtering.yaml
        workers: tasks among which the missing parts are dealt out
        registry: folder or URL of the registry; empty: in the work folder
        scores: folder or URL of the scores; empty: in the work folder
    """
    resolved = resolve_filtering(
        source=source,
        model=model,
        text_column=text_column,
        time_column=time_column,
        since=since,
        until=until,
        token_budget=token_budget,
        share=share,
        tokenizer=tokenizer,
        options=options,
        registry=registry,
        scores=scores,
        cheap="",
        recall=None,
        in_cascade=False,
    )
    corpus = acquire_corpus(
        source=resolved.source, revision=resolved.revision, columns=resolved.columns, period=resolved.period
    )
    given = {
        "corpus": corpus.snapshot,
        "registry": resolved.registry,
        "version": resolved.version,
        "scores": resolved.scores,
        "scoring": resolved.scoring,
        "workers": workers,
    }
    planned = (
        conditional("backend")
        .if_(resolved.measured.is_true())
        .then(measure_and_plan_parts(**given))
        .else_()
        .then(plan_parts(**given))
    )
    scored = map_task(
        partial(
            score_share,
            corpus=corpus.snapshot,
            registry=resolved.registry,
            version=resolved.version,
            scoring=resolved.scoring,
        )
    )(share=planned.shares)
    counting = plan_cut(
        corpus=corpus.snapshot,
        folder=planned.folder,
        plan=planned.plan,
        registry=resolved.registry,
        version=resolved.version,
        request=resolved.selection,
        workers=workers,
        scored=scored,
    )
    shards = plan_shards(
        corpus=corpus.snapshot,
        folder=planned.folder,
        plan=planned.plan,
        registry=resolved.registry,
        version=resolved.version,
        request=resolved.selection,
        workers=workers,
        counted=map_task(count_scores)(share=counting),
    )
    selected = select_documents(
        corpus=corpus.snapshot,
        folder=planned.folder,
        registry=resolved.registry,
        version=resolved.version,
        request=resolved.selection,
        draft=shards.draft,
        written=map_task(write_selected)(share=shards.shares),
    )
    return summarise_filtering(
        request=resolved.selection,
        started=resolved.started,
        selection=selected.selection,
        acquired=corpus.stage,
        there=planned.there,
        scored=scored,
        selected=selected.stage,
    )
