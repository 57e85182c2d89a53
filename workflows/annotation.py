"""From documents and a rubric to a labelled table, by one or more judges."""

from functools import partial

from flytekit import map_task, workflow

from tasks.annotate import ask_share, plan_questions, resolve_annotation, write_labelled
from tasks.annotate_summary import LabelledDocuments, summarise_annotation
from tasks.corpus import acquire_corpus


@workflow
def annotate(
    source: str,
    rubric: str = "education",
    judges: list[str] = ["shipped"],  # noqa: B006  # a workflow's default, which is never changed
    text_column: str = "text",
    budget: float | None = None,
    most_calls: int | None = None,
    options: str = "",
    workers: int = 4,
    answers: str = "",
) -> LabelledDocuments:
    """Label documents by judges; a run that was stopped resumes with the answers that are missing.

    Args:
        source: snapshot, Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/OWNER/NAME@REVISION
        rubric: built-in name or Markdown file
        judges: 'MODEL[@URL] [SETTING=VALUE …]' of a server of the chat-completions protocol, column:NAME for answers
            in a column of the source, or shipped: the two raters of data/sample
        text_column: column of the documents
        budget: money that the answers may cost, in the currency of the prices; each worker has its share of it
        most_calls: number of calls that may be charged; each worker has its share of it
        options: any other option of `assay annotate --help`, as YAML or JSON or the name of a shipped file, such as
            '{repeats: 3, window_count: 2}'
        workers: tasks among which the documents are dealt out
        answers: folder or URL of the store of answers; empty: in the work folder
    """
    resolved = resolve_annotation(
        source=source,
        rubric=rubric,
        judges=judges,
        text_column=text_column,
        budget=budget,
        most_calls=most_calls,
        options=options,
        answers=answers,
    )
    corpus = acquire_corpus(
        source=resolved.source, revision=resolved.revision, columns=resolved.columns, period=resolved.period
    )
    planned = plan_questions(
        corpus=corpus.snapshot, request=resolved.request, answers=resolved.answers, workers=workers
    )
    asked = map_task(partial(ask_share, corpus=corpus.snapshot, request=resolved.request, answers=resolved.answers))(
        share=planned.shares
    )
    written = write_labelled(corpus=corpus.snapshot, request=resolved.request, answers=resolved.answers, asked=asked)
    return summarise_annotation(
        started=resolved.started,
        snapshot=written.snapshot,
        acquired=corpus.stage,
        planned=planned.there,
        asked=asked,
        written=written.stage,
    )
