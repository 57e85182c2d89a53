"""Labels from judges: how far to trust them, which documents to label, and what people say of the judge."""

from assay.annotation.agreement import measure_agreement
from assay.annotation.choose import DrawRequest, choose_documents
from assay.annotation.dispute import read_answers, send_to_people, take_from_people
from assay.annotation.raters import combine_answers

__all__ = [
    "DrawRequest",
    "choose_documents",
    "combine_answers",
    "measure_agreement",
    "read_answers",
    "send_to_people",
    "take_from_people",
]
