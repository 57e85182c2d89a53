"""Release: put another version in service: compare, deploy, check, promote, restore, and report the decision."""

from assay.release.change import (
    Change,
    Served,
    challenge_with,
    conclude,
    deploy,
    move_champion,
    plan_change,
    plan_rollback,
    prove,
    restore,
)
from assay.release.mirror import mirror_version
from assay.release.register import register_model, require_golden
from assay.release.report import decision_report
from assay.release.retraining import RetrainingRequest, WatchingRequest

__all__ = [
    "Change",
    "RetrainingRequest",
    "Served",
    "WatchingRequest",
    "challenge_with",
    "conclude",
    "decision_report",
    "deploy",
    "mirror_version",
    "move_champion",
    "plan_change",
    "plan_rollback",
    "prove",
    "register_model",
    "require_golden",
    "restore",
]
