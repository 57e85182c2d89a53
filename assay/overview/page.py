"""Write the page of the state."""

import datetime
from pathlib import Path

from assay.overview.present import state_report
from assay.overview.state import DAYS, StatePlaces, gather_state
from assay.report import write_html


def page_of_state(
    registry: str,
    output: Path,
    *,
    looks: str = "",
    log: str = "",
    days: int = DAYS,
    now: datetime.datetime | None = None,
) -> Path:
    """Gather the state and write its page to `output`, which appears or is replaced when it is complete.

    `looks` and `log` are the values of `assay watch --looks` and of ASSAY_SERVE_LOG; empty for none. `days`: days of
    the log to read. Raise InputError if a place is a file, or `output` cannot be written.
    """
    write_html(state_report(gather_state(StatePlaces(registry, looks, log, days), now=now)), output)
    return output
