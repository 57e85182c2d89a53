"""Which documents: the best of a scored corpus for a budget of tokens, a share or a threshold, as a snapshot."""

from assay.selection.choose import Choice, choose
from assay.selection.present import funnel_table, promise, selection_report
from assay.selection.request import Request
from assay.selection.write import provenance_of, write_selection

__all__ = [
    "Choice",
    "Request",
    "choose",
    "funnel_table",
    "promise",
    "provenance_of",
    "selection_report",
    "write_selection",
]
