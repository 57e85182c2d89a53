"""The command `assay`: a file for each command, which imports only what that command needs."""

from assay.cli.main import main

__all__ = ["main"]
