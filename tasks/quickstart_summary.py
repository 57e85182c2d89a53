"""The summary at the end of the quickstart: what was made, and how to use it. Never cached."""

import sys

from flytekit import task
from rich.console import Console

from assay.report import print_table
from tasks.filter_summary import Selection
from tasks.register import Registration
from tasks.support.resources import light
from tasks.support.settings import on_cluster, work_folder
from tasks.support.stages import Stage, stage_table


@task(**light())
def summarise_quickstart(
    registration: Registration, packaged: Stage, checked: Stage, served: Stage, selection: Selection, started: float
) -> Registration:
    """Print the stages that ship the model, and the places of its results."""
    console = Console(file=sys.stdout, width=min(140, max(100, Console().width)), highlight=False)
    print_table("Shipped", stage_table([packaged, checked, served], started), console)
    console.print(f"    model: {registration.registry}/versions/{registration.version}", soft_wrap=True)
    console.print(f"selection: {selection.place}", soft_wrap=True)
    if not on_cluster():
        console.print(f"   report: {work_folder() / 'report.html'}", soft_wrap=True)
        if served.remark.startswith("http"):
            console.print(f"  serving: {served.remark}, until `make stop`", soft_wrap=True)
        else:
            named = f"assay deploy {registration.version} --registry {registration.registry}"
            console.print(f"    serve: {named}", soft_wrap=True)
        console.print(" tracking: make ui", soft_wrap=True)
    return registration
