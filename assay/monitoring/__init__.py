"""Drift: a window of scored documents compared with the reference that is kept with the model, and who is informed."""

from assay.monitoring.compare import TooFewError, compare
from assay.monitoring.config import STATISTICS, WatchConfig
from assay.monitoring.dependence import Arrivals
from assay.monitoring.looks import DriftLook, DriftLookLog
from assay.monitoring.run import WatchRequest, take_drift_look
from assay.monitoring.statistics import deflated, ks_distance, ks_p, ks_seen_from, share_p
from assay.monitoring.watch import TITLES
from assay.monitoring.webhook import WebhookConfig, notify

__all__ = [
    "STATISTICS",
    "TITLES",
    "Arrivals",
    "DriftLook",
    "DriftLookLog",
    "TooFewError",
    "WatchConfig",
    "WatchRequest",
    "WebhookConfig",
    "compare",
    "deflated",
    "ks_distance",
    "ks_p",
    "ks_seen_from",
    "notify",
    "share_p",
    "take_drift_look",
]
