"""Selection: take the best documents of a scored corpus for a token budget, a share or a threshold, as a snapshot."""

from assay.selection.choose import choose
from assay.selection.filtering import FilteringRequest
from assay.selection.mix import compare_mix, estimate_share, require_mix, shifted
from assay.selection.present import DUPLICATES, funnel_table, mix_sentences, promise, selection_report
from assay.selection.request import SelectionRequest
from assay.selection.run import ranked, select_corpus
from assay.selection.write import write_selection

__all__ = [
    "DUPLICATES",
    "FilteringRequest",
    "SelectionRequest",
    "choose",
    "compare_mix",
    "estimate_share",
    "funnel_table",
    "mix_sentences",
    "promise",
    "ranked",
    "require_mix",
    "select_corpus",
    "selection_report",
    "shifted",
    "write_selection",
]
