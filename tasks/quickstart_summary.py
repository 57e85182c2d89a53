"""What the quickstart ends with: what was made, and how to use it."""

import sys

from flytekit import task
from rich.console import Console

from assay.report import print_table
from tasks.filter_summary import Selection
from tasks.register import Registration
from tasks.resources import light
from tasks.settings import on_cluster, work_folder
from tasks.summary import stage_table
from tasks.types import Stage


@task(**light())
def summarise_quickstart(
    registration: Registration, packaged: Stage, checked: Stage, selection: Selection, started: float
) -> Registration:
    """Print the stages between model and corpus, and what to do next."""
    console = Console(file=sys.stdout, width=min(140, max(100, Console().width)), highlight=False)
    print_table("Shipped", stage_table([packaged, checked], started), console)
    console.print(f"    model: {registration.registry}/versions/{registration.version}", soft_wrap=True)
    console.print(f"selection: {selection.place}", soft_wrap=True)
    if not on_cluster():
        console.print(f"   report: {work_folder() / 'report.html'}", soft_wrap=True)
        # Only a champion is served without being named.
        named = f"assay serve --model {registration.version} --registry {registration.registry}"
        champion = registration.champion == registration.version
        console.print(f"    serve: {'make serve' if champion else named}\n tracking: make ui", soft_wrap=True)
    return registration
