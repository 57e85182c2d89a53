"""The comparison of a challenger with the champion: evidence, rules, limits, judgement, wear of the test set."""

from assay.promotion.judgement import Judgement
from assay.promotion.limits import PromotionLimits, read_promotion_limits
from assay.promotion.report import promotion_report, rules_table
from assay.promotion.request import ChallengeRequest
from assay.promotion.run import challenge_champion, model_to_beat
from assay.promotion.test_set import Use, decisions

__all__ = [
    "ChallengeRequest",
    "Judgement",
    "PromotionLimits",
    "Use",
    "challenge_champion",
    "decisions",
    "model_to_beat",
    "promotion_report",
    "read_promotion_limits",
    "rules_table",
]
