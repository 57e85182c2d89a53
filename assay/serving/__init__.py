"""The classifier online: a Bento of a registered version, its service, the process that runs it, a client."""

from assay.serving.bento import Bento, build_bento, packed_digest
from assay.serving.check import ServedReport, check_answers, check_calls, check_running, check_served
from assay.serving.client import ask
from assay.serving.process import ServerProcess, serve_forever, warn_open
from assay.serving.settings import PREFIX, PROCESS, ServeSettings

__all__ = [
    "PREFIX",
    "PROCESS",
    "Bento",
    "ServeSettings",
    "ServedReport",
    "ServerProcess",
    "ask",
    "build_bento",
    "check_answers",
    "check_calls",
    "check_running",
    "check_served",
    "packed_digest",
    "serve_forever",
    "warn_open",
]
