"""Audit: label a sample of a selection and of what was left out, and measure precision and recall of this corpus."""

from assay.audit.estimate import measure_audit
from assay.audit.plan import AuditPlan, Side, strata_of
from assay.audit.run import AuditRequest, draw_audit, finish_audit

__all__ = [
    "AuditPlan",
    "AuditRequest",
    "Side",
    "draw_audit",
    "finish_audit",
    "measure_audit",
    "strata_of",
]
