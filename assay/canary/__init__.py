"""A canary judged by statistics: errors, latency and kept documents of a new version beside the serving one."""

from assay.canary.run import run_canary

__all__ = ["run_canary"]
