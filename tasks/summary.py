"""The summary at the end of a training run. Never cached: it reports what this run took from the cache."""

import shutil
import sys

from flytekit import Deck, task
from flytekit.types.file import FlyteFile
from rich.console import Console

from assay.evaluation import Evaluation, summary_table
from assay.report import Prose, Report, Section, Table, print_table, render_fragment
from tasks.register import Registration
from tasks.support.resources import light
from tasks.support.settings import on_cluster, work_folder
from tasks.support.stages import Stage, stage_table


@task(enable_deck=True, **light())
def summarise(
    started: float, stages: list[Stage], evaluation: Evaluation, registration: Registration, report: FlyteFile
) -> Registration:
    """Print the stages, the metrics of model and baselines, and the places of the results."""
    table, done = summary_table(evaluation), stage_table(stages, started)
    places = {"model": f"{registration.registry}/versions/{registration.version}"}
    if not on_cluster():
        # Flyte stores outputs under random names; this copy has a name that stays.
        page = work_folder() / "report.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(report.download(), page)
        places |= {"report": str(page), "tracking": "make ui"}
    console = Console(file=sys.stdout, width=min(140, max(100, Console().width)), highlight=False)
    print_table("Stages", done, console)
    print_table(f"How good is it on {evaluation.documents} documents that it never saw?", table, console)
    for warning in evaluation.warnings:
        console.print(f"! {warning}")
    if registration.champion != registration.version:
        console.print(f"! {registration.standing}", soft_wrap=True)
    cached = int((done["time"] == "from cache").sum())
    if cached:
        console.print(f"{cached} of {len(done)} stages from the cache")
    console.print("\n".join(f"{name:>9}: {place}" for name, place in places.items()))
    Deck(
        "Summary",
        render_fragment(
            Report(
                "Summary",
                sections=[
                    Section("How good", [Table(table), *[Prose(warning) for warning in evaluation.warnings]]),
                    Section("Stages", [Table(done)]),
                ],
            )
        ),
    )
    return registration
