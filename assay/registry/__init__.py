"""Models that were proved: immutable versions, and aliases that say which one serves, who moved them and why."""

from assay.registry.aliases import AliasMove
from assay.registry.champion import CHAMPION, PREVIOUS, promote, promote_first, rollback, served_before
from assay.registry.decisions import Decision, DecisionLog, Outcome
from assay.registry.judged import promote_judged
from assay.registry.registry import Registry, Version, open_model

__all__ = [
    "CHAMPION",
    "PREVIOUS",
    "AliasMove",
    "Decision",
    "DecisionLog",
    "Outcome",
    "Registry",
    "Version",
    "open_model",
    "promote",
    "promote_first",
    "promote_judged",
    "rollback",
    "served_before",
]
