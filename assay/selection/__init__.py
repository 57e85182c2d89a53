"""Which documents: the best of a scored corpus for a budget of tokens, a share or a threshold, as a snapshot."""

from assay.selection.choose import choose
from assay.selection.present import funnel_table, promise, selection_report
from assay.selection.request import SelectionRequest
from assay.selection.run import ranked, select_corpus
from assay.selection.write import write_selection

__all__ = [
    "SelectionRequest",
    "choose",
    "funnel_table",
    "promise",
    "ranked",
    "select_corpus",
    "selection_report",
    "write_selection",
]
