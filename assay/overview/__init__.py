"""Overview: one page with the champion, scores over time, alarms, decisions, versions and cost."""

from assay.overview.page import page_of_state
from assay.overview.state import StatePlaces

__all__ = [
    "StatePlaces",
    "page_of_state",
]
