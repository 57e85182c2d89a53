"""The score log of a server: hand its answers to the writing thread, and count their outcomes."""

import time
from typing import TYPE_CHECKING

from assay.scorelog import LogWriter
from assay.serving.log import LOG, log_error
from assay.serving.settings import ServeSettings

if TYPE_CHECKING:
    from assay.serving.assayer import Assayer

LOG_SECONDS = 5.0
"""Seconds for writing the last file when the server ends."""
REPORT_EVERY = 60.0
"""Seconds between two log lines about failed writes: under load each batch would give one."""


def open_log(settings: ServeSettings, assayer: "Assayer") -> LogWriter | None:
    """Log the answers to /score to the place in the settings. Return None if they name no place."""
    if not settings.log:
        return None
    reported = -REPORT_EVERY

    def failed(error: BaseException) -> None:
        nonlocal reported
        if time.monotonic() - reported >= REPORT_EVERY:
            reported = time.monotonic()
            log_error("the score log cannot be written, and answers are missing in it", error)

    writer = LogWriter(
        settings.log,
        share=settings.log_share,
        rows=settings.log_rows,
        seconds=settings.log_seconds,
        on_rows=lambda outcome, rows: assayer.metrics.log_rows.labels(outcome).inc(rows),
        on_error=failed,
    )
    assayer.on_answers = lambda answers: writer.add(answers, assayer.version)
    LOG.info("answers are logged, a share of %g of them", settings.log_share)
    return writer
