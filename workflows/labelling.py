"""From documents without labels to labelled ones, in rounds: label, train, choose, label."""

from flytekit import workflow

from tasks.labelling import MOST_ROUNDS, Finished, ask_judge, begin_rounds, finish_rounds, train_and_choose


@workflow
def label_in_rounds(
    source: str = "data/sample/documents.jsonl",
    text_column: str = "text",
    judges: list[str] = ["shipped"],  # noqa: B006  # a workflow's default, which is never changed
    rubric: str = "education",
    calls: int = 5000,
    options: str = "",
) -> Finished:
    """Label few documents, train, choose the next ones by what was learned, until more are not worth their calls.

    Args:
        source: documents: Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/OWNER/NAME@REVISION
        text_column: column of the documents
        judges: 'MODEL[@URL] [SETTING=VALUE …]' of a server of the chat-completions protocol, column:NAME for answers
            in a column of the source, or shipped: the two raters of data/sample
        rubric: built-in name or Markdown file
        calls: answers of judges at most, with those that are not valid
        options: any other option of the rounds and of the draw, as YAML or JSON or the name of a shipped file, such as
            '{measured: 100, first: 50, rounds: 3}'
    """
    begun = begin_rounds(
        source=source,
        text_column=text_column,
        judges=judges,
        rubric=rubric,
        calls=calls,
        options=options,
    )
    state = begun.state
    for _ in range(MOST_ROUNDS):
        asked = ask_judge(documents=begun.documents, request=begun.request, state=state, answers=begun.answers)
        state = train_and_choose(documents=begun.documents, request=begun.request, state=asked)
    return finish_rounds(documents=begun.documents, request=begun.request, state=state)
