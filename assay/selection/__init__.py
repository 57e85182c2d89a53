"""Selection: take the best documents of a scored corpus for a token budget, a share or a threshold, as a snapshot."""

from assay.selection.choose import choose
from assay.selection.filtering import FilteringRequest
from assay.selection.present import funnel_table, promise, selection_report
from assay.selection.request import SelectionRequest
from assay.selection.run import ranked, select_corpus
from assay.selection.write import write_selection

__all__ = [
    "FilteringRequest",
    "SelectionRequest",
    "choose",
    "funnel_table",
    "promise",
    "ranked",
    "select_corpus",
    "selection_report",
    "write_selection",
]
