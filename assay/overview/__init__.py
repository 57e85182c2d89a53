"""The state of the whole on one page: who is champion, scores over time, alarms, decisions, cost."""

from assay.overview.page import page_of_state

__all__ = [
    "page_of_state",
]
