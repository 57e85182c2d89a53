"""Whether what a model is asked or answers has changed: looks at a window beside the reference kept with it."""

from assay.monitoring.compare import TooFewError, compare
from assay.monitoring.config import STATISTICS, WatchConfig
from assay.monitoring.looks import Look, LookLog
from assay.monitoring.run import WatchRequest, look_at_window
from assay.monitoring.statistics import ks_seen_from
from assay.monitoring.watch import TITLES
from assay.monitoring.webhook import WebhookConfig, notify

__all__ = [
    "STATISTICS",
    "TITLES",
    "Look",
    "LookLog",
    "TooFewError",
    "WatchConfig",
    "WatchRequest",
    "WebhookConfig",
    "compare",
    "ks_seen_from",
    "look_at_window",
    "notify",
]
