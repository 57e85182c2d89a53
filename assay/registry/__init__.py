"""The registry of models: immutable versions, aliases that name the one that serves, and the log of decisions."""

from assay.registry.aliases import AliasMove
from assay.registry.champion import CHAMPION, PREVIOUS, promote, promote_first, rollback, served_before
from assay.registry.decisions import Decision, DecisionLog, Outcome
from assay.registry.registry import Registry, Version, open_model
from assay.registry.verdicts import keep_verdict, promote_with_verdict

__all__ = [
    "CHAMPION",
    "PREVIOUS",
    "AliasMove",
    "Decision",
    "DecisionLog",
    "Outcome",
    "Registry",
    "Version",
    "keep_verdict",
    "open_model",
    "promote",
    "promote_first",
    "promote_with_verdict",
    "rollback",
    "served_before",
]
