"""What a service answered, without any text: immutable Parquet files, written aside and read by time."""

from assay.scorelog.files import read_log
from assay.scorelog.writer import LogWriter

__all__ = [
    "LogWriter",
    "read_log",
]
