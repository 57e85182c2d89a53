"""Selection: take the best documents of a scored corpus for a token budget, a share or a threshold, as a snapshot."""

from assay.selection.filtering import FilteringRequest
from assay.selection.mapped import CountedShare, CountShare, count_share, plan_counting, plan_writing
from assay.selection.mix import estimate_share, shifted
from assay.selection.present import DUPLICATES, funnel_table, mix_sentences, promise
from assay.selection.request import SelectionRequest
from assay.selection.run import prepared, select_corpus
from assay.selection.shares import SelectionShare, WrittenShare, write_share
from assay.selection.write import REPORT, Draft, finish_selection

__all__ = [
    "DUPLICATES",
    "REPORT",
    "CountShare",
    "CountedShare",
    "Draft",
    "FilteringRequest",
    "SelectionRequest",
    "SelectionShare",
    "WrittenShare",
    "count_share",
    "estimate_share",
    "finish_selection",
    "funnel_table",
    "mix_sentences",
    "plan_counting",
    "plan_writing",
    "prepared",
    "promise",
    "select_corpus",
    "shifted",
    "write_share",
]
