"""Overview: one page with the champion, scores over time, alarms, decisions, versions and cost."""

from assay.overview.page import page_of_state

__all__ = [
    "page_of_state",
]
