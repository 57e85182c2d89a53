"""Models that were proved: immutable versions, and aliases that say which one serves, who moved them and why."""

from assay.registry.aliases import AliasMove
from assay.registry.champion import PREVIOUS, promote, rollback, served_before
from assay.registry.decisions import Decision, DecisionLog, Outcome
from assay.registry.judged import KeptVerdict, promote_judged
from assay.registry.promotion import CHAMPION, Promotion, promote_first
from assay.registry.registry import Registry, Version

__all__ = [
    "CHAMPION",
    "PREVIOUS",
    "AliasMove",
    "Decision",
    "DecisionLog",
    "KeptVerdict",
    "Outcome",
    "Promotion",
    "Registry",
    "Version",
    "promote",
    "promote_first",
    "promote_judged",
    "rollback",
    "served_before",
]
