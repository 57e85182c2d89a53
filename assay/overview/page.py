"""Write the page of the state."""

import datetime
from pathlib import Path

from assay.overview.present import state_report
from assay.overview.state import StatePlaces, gather_state
from assay.report import write_html


def page_of_state(places: StatePlaces, output: Path, *, now: datetime.datetime | None = None) -> Path:
    """Gather the state and write its page to `output`, which appears or is replaced when it is complete.

    Raise InputError if a place is a file, or `output` cannot be written.
    """
    write_html(state_report(gather_state(places, now=now)), output)
    return output
