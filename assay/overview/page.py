"""The page written."""

import datetime
from pathlib import Path

from assay.overview.present import state_report
from assay.overview.state import DAYS, Asked, gather_state
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

    `looks` and `log`: what `assay watch --looks` was given and ASSAY_SERVE_LOG was set to, each empty where there is
    none; `days` of the log. Raises InputError where a place is a file, or `output` cannot be written.
    """
    write_html(state_report(gather_state(Asked(registry, looks, log, days), now=now)), output)
    return output
