"""Rubrics: one Markdown file for each domain, with its scale and the label from which a document is kept."""

from assay.rubric.rubric import Rubric, builtin_rubrics, load_rubric, rubric_from_labels

__all__ = [
    "Rubric",
    "builtin_rubrics",
    "load_rubric",
    "rubric_from_labels",
]
