"""Labels from judges: a rubric and documents in, labels and how far to trust them out."""

from assay.annotation.agreement import measure_agreement
from assay.annotation.ask import Asked, Job
from assay.annotation.choose import DrawRequest, choose_documents
from assay.annotation.dispute import read_answers, send_to_people, take_from_people
from assay.annotation.loop import begin, measure_and_choose, take_answers, to_ask
from assay.annotation.raters import combine_answers
from assay.annotation.request import AnnotationRequest
from assay.annotation.rounds import RoundsRequest, ask_judges, fit_words, read_documents, rounds_report, write_labels
from assay.annotation.run import annotate, ask_by_batch, ask_rows, job_of, label_rows, take_batch
from assay.annotation.state import LoopState
from assay.annotation.table import REPORT

__all__ = [
    "REPORT",
    "AnnotationRequest",
    "Asked",
    "DrawRequest",
    "Job",
    "LoopState",
    "RoundsRequest",
    "annotate",
    "ask_by_batch",
    "ask_judges",
    "ask_rows",
    "begin",
    "choose_documents",
    "combine_answers",
    "fit_words",
    "job_of",
    "label_rows",
    "measure_agreement",
    "measure_and_choose",
    "read_answers",
    "read_documents",
    "rounds_report",
    "send_to_people",
    "take_answers",
    "take_batch",
    "take_from_people",
    "to_ask",
    "write_labels",
]
