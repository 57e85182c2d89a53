"""From a raw corpus to the best documents with two models: a cheap one rejects, and the full one scores the rest."""

from functools import partial

from flytekit import conditional, map_task, workflow

from tasks.cascade import certify_cut, measure_and_plan_rest, plan_rest
from tasks.corpus import acquire_corpus
from tasks.count_scores import count_scores
from tasks.filter_summary import Selection, summarise_filtering
from tasks.plan_cut import plan_cut
from tasks.plan_shards import plan_shards
from tasks.resolve_filtering import resolve_filtering
from tasks.score import plan_parts, score_share
from tasks.select import select_documents
from tasks.write_selected import write_selected


@workflow
def filter_in_cascade(
    source: str,
    cheap: str,
    model: str = "champion",
    recall: float = 0.99,
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
    """Score a corpus by a cheap model, certify what it may reject, score the rest by the full model, and select.

    Args:
        source: snapshot, Parquet, JSONL or CSV (file, folder, URL), hf://datasets/…, or installed-docs[:PACKAGE,…]
        cheap: alias, version or its first characters, of the model that rejects, such as one of `assay distil`
        model: alias, version or its first characters, of the full model
        recall: share of what the full model would keep that is kept at least, with 95 % confidence
        text_column: column of the documents
        time_column: column of the times, if only the documents of a period are used
        since: start of the period, ISO 8601; empty: from the beginning
        until: end of the period, excluded; empty: to the end
        token_budget: number of tokens of the best documents; without it and share, the model's own threshold
        share: share of the documents in scope, the best of them
        tokenizer: folder or OWNER/NAME@REVISION that counts tokens; empty: an estimate from bytes
        options: any other option of `assay score --help` and `assay select --help`, as YAML or JSON or the name of a
            shipped file, such as '{cascade_share: 0.1, certify_documents: 9000}'
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
        cheap=cheap,
        recall=recall,
        in_cascade=True,
    )
    corpus = acquire_corpus(
        source=resolved.source, revision=resolved.revision, columns=resolved.columns, period=resolved.period
    )
    first = plan_parts(
        corpus=corpus.snapshot,
        registry=resolved.registry,
        version=resolved.cheap,
        scores=resolved.scores,
        scoring=resolved.plain,
        workers=workers,
    )
    rated = map_task(
        partial(
            score_share,
            corpus=corpus.snapshot,
            registry=resolved.registry,
            version=resolved.cheap,
            scoring=resolved.plain,
        )
    )(share=first.shares)
    certified = certify_cut(
        corpus=corpus.snapshot,
        registry=resolved.registry,
        version=resolved.version,
        scores=resolved.scores,
        scoring=resolved.scoring,
        cascade=resolved.cascade,
        folder=first.folder,
        scored=rated,
    )
    given = {
        "corpus": corpus.snapshot,
        "registry": resolved.registry,
        "version": resolved.version,
        "scores": resolved.scores,
        "scoring": resolved.scoring,
        "certificate": certified.certificate,
        "workers": workers,
    }
    rest = (
        conditional("backend")
        .if_(resolved.measured.is_true())
        .then(measure_and_plan_rest(**given))
        .else_()
        .then(plan_rest(**given))
    )
    scored = map_task(
        partial(
            score_share,
            corpus=corpus.snapshot,
            registry=resolved.registry,
            version=resolved.version,
            scoring=resolved.scoring,
        )
    )(share=rest.shares)
    counting = plan_cut(
        corpus=corpus.snapshot,
        folder=rest.folder,
        plan=rest.plan,
        registry=resolved.registry,
        version=resolved.version,
        request=resolved.selection,
        workers=workers,
        scored=scored,
    )
    shards = plan_shards(
        corpus=corpus.snapshot,
        folder=rest.folder,
        plan=rest.plan,
        registry=resolved.registry,
        version=resolved.version,
        request=resolved.selection,
        workers=workers,
        counted=map_task(count_scores)(share=counting),
    )
    selected = select_documents(
        corpus=corpus.snapshot,
        folder=rest.folder,
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
        there=rest.there,
        scored=scored,
        selected=selected.stage,
    )
