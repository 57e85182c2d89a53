"""The comparison of a challenger with the champion: evidence, rules, limits, judgement, wear of the test set."""

from assay.promotion.judgement import Judgement
from assay.promotion.limits import LIMIT, PromotionLimits
from assay.promotion.report import promotion_report, rules_table
from assay.promotion.request import ChallengeRequest
from assay.promotion.run import challenge_champion, model_to_beat
from assay.promotion.test_set import Use, decisions, record_report

__all__ = [
    "LIMIT",
    "ChallengeRequest",
    "Judgement",
    "PromotionLimits",
    "Use",
    "challenge_champion",
    "decisions",
    "model_to_beat",
    "promotion_report",
    "record_report",
    "rules_table",
]
