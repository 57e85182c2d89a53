"""The score log: answers of a service without their texts, in Parquet files that never change, read by time."""

from assay.scorelog.files import read_log
from assay.scorelog.writer import LogWriter

__all__ = [
    "LogWriter",
    "read_log",
]
