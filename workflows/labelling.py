"""From documents without labels to labelled ones, in rounds: label, train, choose, label."""

from flytekit import workflow

from tasks.labelling import MOST_ROUNDS, Finished, ask_judge, begin_rounds, finish_rounds, train_and_choose


@workflow
def label_in_rounds(
    source: str = "data/sample/documents.jsonl",
    text_column: str = "text",
    judge_columns: list[str] = ["rater_1", "rater_2"],  # noqa: B006  # flytekit serialises the default
    rubric: str = "education",
    calls: int = 5000,
    options: str = "",
) -> Finished:
    """Label few documents, train, choose the next ones by what was learned, until more are not worth their calls.

    Args:
        source: documents: Parquet, JSONL or CSV (file, folder, URL), or hf://datasets/OWNER/NAME@REVISION
        text_column: column of the documents
        judge_columns: columns that answer as a judge would, one judge a column
        rubric: built-in name or Markdown file
        calls: answers of judges at most, with those that are not valid
        options: any other option of the rounds and of the draw, as YAML or JSON or the name of a shipped file, such as
            '{measured: 100, first: 50, answers_each: 2, rounds: 3}'
    """
    begun = begin_rounds(
        source=source,
        text_column=text_column,
        judge_columns=judge_columns,
        rubric=rubric,
        calls=calls,
        options=options,
    )
    state = begun.state
    for _ in range(MOST_ROUNDS):
        asked = ask_judge(documents=begun.documents, request=begun.request, state=state)
        state = train_and_choose(documents=begun.documents, request=begun.request, state=asked)
    return finish_rounds(documents=begun.documents, request=begun.request, state=state)
