"""From the scores of a corpus to a mixture: how often each document is used, by quality, topic and budget."""

from functools import partial

from flytekit import map_task, workflow

from tasks.mix import MixedCorpus, finish_mixture, join_pass, plan_mixture, scan_share


@workflow
def mix_corpus(
    source: str,
    quality: str = "",
    token_budget: int | None = None,
    topic: str = "",
    options: str = "",
    materialise: str = "",
    workers: int = 4,
    registry: str = "",
    scores: str = "",
    output: str = "",
) -> MixedCorpus:
    """Make a mixture of a corpus that was scored, by `filter_corpus` or `assay score`; no step holds the corpus.

    Args:
        source: corpus that was scored, as it was given then
        quality: scores that rank, separated by commas: alias or version of a model, MODEL#RUBRIC, column:NAME;
            empty: champion
        token_budget: tokens of the mixture, repeats included
        topic: column of the topics, or p_keep:RUBRIC,RUBRIC; empty: one topic
        options: any other option of `assay mix --help`, as YAML or JSON or the name of a shipped file, such as
            '{discard: 0.5, topic_share: {science: 0.4}}'
        materialise: stream or cells, to write the documents, too; empty: references alone
        workers: tasks among which the parts of the scores are dealt out
        registry: folder or URL of the registry; empty: in the work folder
        scores: folder or URL of the scores; empty: in the work folder
        output: folder or URL of the mixture; empty: below mixtures in the work folder
    """
    planned = plan_mixture(
        source=source,
        quality=quality,
        token_budget=token_budget,
        topic=topic,
        options=options,
        workers=workers,
        registry=registry,
        scores=scores,
        output=output,
    )
    counts = map_task(partial(scan_share, job=planned.job, state=planned.state))(share=planned.counting)
    counted = join_pass(job=planned.job, state=planned.state, found=counts)
    tallies = map_task(partial(scan_share, job=planned.job, state=counted))(share=planned.shares)
    tallied = join_pass(job=planned.job, state=counted, found=tallies)
    near = map_task(partial(scan_share, job=planned.job, state=tallied))(share=planned.shares)
    settled = join_pass(job=planned.job, state=tallied, found=near)
    written = map_task(partial(scan_share, job=planned.job, state=settled))(share=planned.shares)
    return finish_mixture(job=planned.job, state=settled, written=written, materialise=materialise)
