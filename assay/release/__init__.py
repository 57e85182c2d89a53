"""Put another version in service: judge, deploy, check, promote, put back, and report the decision."""

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
from assay.release.report import decision_report

__all__ = [
    "Change",
    "Served",
    "challenge_with",
    "conclude",
    "decision_report",
    "deploy",
    "move_champion",
    "plan_change",
    "plan_rollback",
    "prove",
    "restore",
]
