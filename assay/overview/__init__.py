"""The state of the whole on one page: who is champion, scores over time, alarms, decisions, cost."""

from assay.overview.page import page_of_state
from assay.overview.present import state_report
from assay.overview.state import Asked, Day, Known, State, gather_state

__all__ = ["Asked", "Day", "Known", "State", "gather_state", "page_of_state", "state_report"]
