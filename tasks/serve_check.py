"""Serve check: start the Bento as a process, and compare its answers over HTTP with the golden documents."""

from pathlib import Path

from flytekit import task

from assay.progress import say
from assay.serving import check_served
from tasks.support.caching import by_content
from tasks.support.resources import encoder
from tasks.support.stages import Stage, recorded
from tasks.support.types import BentoFolder


@task(cache=by_content(), **encoder())
def check_serving(bento: BentoFolder) -> Stage:
    """Score the golden documents. Raise InputError if an answer differs by more than their tolerance."""
    with recorded("Serve check") as stage:
        report = check_served(Path(bento.download()))
        report.require()
        stage.documents = report.documents
        stage.remark = (
            f"off by {report.worst:.1g} of {report.tolerance:g} labels, ready in {report.seconds_to_ready:.0f} s"
        )
        say(stage.remark)
    return stage
