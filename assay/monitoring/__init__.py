"""Whether what a model is asked or answers has changed: looks at a window beside the reference kept with it."""

from assay.monitoring.compare import Comparison, Statistic, TooFewError, compare
from assay.monitoring.config import STATISTICS, WatchConfig
from assay.monitoring.looks import Look, LookLog
from assay.monitoring.present import watch_report
from assay.monitoring.statistics import ks_seen_from
from assay.monitoring.watch import TITLES, WatchResult, watch
from assay.monitoring.webhook import WebhookConfig, notify
from assay.monitoring.window import Window, profile_of_scores, window_of_log, window_of_scores

__all__ = [
    "STATISTICS",
    "TITLES",
    "Comparison",
    "Look",
    "LookLog",
    "Statistic",
    "TooFewError",
    "WatchConfig",
    "WatchResult",
    "WebhookConfig",
    "Window",
    "compare",
    "ks_seen_from",
    "notify",
    "profile_of_scores",
    "watch",
    "watch_report",
    "window_of_log",
    "window_of_scores",
]
