"""What a service answered, without any text: immutable Parquet files, written aside and read by time."""

from assay.scorelog.files import SCHEMA, read_log, write_rows
from assay.scorelog.writer import LogWriter

__all__ = ["SCHEMA", "LogWriter", "read_log", "write_rows"]
