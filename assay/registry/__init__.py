"""Models that were proved: immutable versions, and aliases that say which one serves, who moved them and why."""

from assay.registry.aliases import AliasMove
from assay.registry.promotion import Promotion, promote_first
from assay.registry.registry import Registry, Version

__all__ = ["AliasMove", "Promotion", "Registry", "Version", "promote_first"]
