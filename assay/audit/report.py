"""The page of an audit."""

import pandas as pd

from assay.audit.estimate import Audit
from assay.audit.plan import AuditPlan
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table

LEVELS = {"kept": "good", "broken": "bad", "open": "warn", "none": "note"}


def audit_report(plan: AuditPlan, audit: Audit) -> Report:
    """Return the page: verdict, figures of this corpus, strata."""
    blocks: list[Block] = [
        Callout(audit.sentence, LEVELS[audit.verdict]),  # type: ignore[arg-type]
        Facts(
            {
                "precision of the selection": audit.precision.in_words(),
                "recall of the selection": audit.recall.in_words(),
                "good documents in the corpus": audit.good.in_words(),
                "labels": f"{audit.labels:,}",
            }
        ),
        Prose(
            f"Population: this corpus, {sum(stratum.documents for stratum in plan.strata):,} documents in scope, "
            f"without {plan.excluded:,} near-duplicates of selected ones. Good are documents whose label is at least "
            f"{plan.threshold:g}. In brackets: 95 % intervals of the stratified sample, which assume nothing of the "
            "model; they do not cover errors of the labels."
        ),
    ]
    if audit.missing:
        blocks.append(
            Callout(
                f"{audit.missing} documents of the sample have no label. The figures hold if they are missing at "
                "random: a document that was skipped because it is hard to judge is not.",
                "warn",
            )
        )
    rows = [
        {
            "": "selected" if stratum.selected else "left out",
            "scores from": "lowest" if stratum.low < -1e300 else f"{stratum.low:.3f}",
            "to": "highest" if stratum.high > 1e300 else f"{stratum.high:.3f}",
            "documents": stratum.documents,
            "labelled": labelled,
            "good": good,
            "share": good / labelled if labelled else None,
        }
        for stratum, labelled, good in zip(plan.strata, audit.labelled_of, audit.good_of, strict=True)
    ]
    lineage = {"selection": plan.selection, "corpus": plan.corpus, "model": plan.model, "seed": str(plan.seed)}
    return Report(
        "Audit of a selection",
        plan.target or "no target",
        [
            Section("Precision and recall of this corpus", blocks),
            Section("Strata", [Table(pd.DataFrame(rows), "The sample is random within each stratum.")]),
            Section("Lineage", [Table(pd.DataFrame([{"": name, " ": value} for name, value in lineage.items()]))]),
        ],
    )
