"""The classifier online: a Bento of a registered version, the service in it, and the process that runs it."""

from assay.serving.bento import Bento, build_bento
from assay.serving.check import ServedReport, check_served
from assay.serving.process import ServerProcess, curl_line, serve_forever
from assay.serving.settings import ServeSettings

__all__ = [
    "Bento",
    "ServeSettings",
    "ServedReport",
    "ServerProcess",
    "build_bento",
    "check_served",
    "curl_line",
    "serve_forever",
]
