"""The score log of a server: its answers, handed to the thread that writes them, and counted."""

import time
from typing import TYPE_CHECKING

from assay.scorelog import LogWriter
from assay.serving.log import LOG, log_error
from assay.serving.settings import ServeSettings

if TYPE_CHECKING:
    from assay.serving.assayer import Assayer

LOG_SECONDS = 5.0
"""For the last file, when the server ends."""
SAID_EVERY = 60.0
"""Seconds between two lines about a place that cannot be written."""


def open_log(settings: ServeSettings, assayer: "Assayer") -> LogWriter | None:
    """Have every answer to /score logged where the settings say; None where they say nothing."""
    if not settings.log:
        return None
    said = -SAID_EVERY

    def failed(error: BaseException) -> None:
        nonlocal said
        if time.monotonic() - said >= SAID_EVERY:
            said = time.monotonic()
            log_error("the score log cannot be written, and answers are missing in it", error)

    writer = LogWriter(
        settings.log,
        share=settings.log_share,
        rows=settings.log_rows,
        seconds=settings.log_seconds,
        told=lambda outcome, rows: assayer.metrics.log_rows.labels(outcome).inc(rows),
        failed=failed,
    )
    assayer.heard = lambda answers: writer.add(answers, assayer.version)
    LOG.info("answers are logged, a share of %g of them", settings.log_share)
    return writer
