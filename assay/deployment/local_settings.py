"""Settings of this machine as a target."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError


@dataclass(frozen=True)
class LocalSettings:
    """Settings of this machine. Limits and tokens of the service come from the environment, as for `assay serve`."""

    folder: Path
    """Folder of the state."""
    registry: str
    """Folder or URL of the registry."""
    host: str = "127.0.0.1"
    """Address of the public port."""
    port: int = 3000
    """Public port, which clients use."""
    within: float = 180.0
    """Seconds in which a new server must be ready."""
    drain: float = 65.0
    """Seconds for the old server to complete its requests; a little above the default limit of a request."""

    @property
    def restore(self) -> list[str]:
        """Command that serves the deployed version again."""
        command = [sys.executable, "-m", "assay", "deployment", "restore", "--target", "local"]
        command += ["--folder", str(self.folder), "--registry", self.registry, "--host", self.host]
        return [*command, "--port", str(self.port), "--within", f"{self.within:g}"]

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise InputError(f"there is no port {self.port}", fix="Give a number from 1 to 65535")
        if not (0 < self.within < math.inf and 0 < self.drain < math.inf):
            raise InputError(f"limits of {self.within} s and {self.drain} s", fix="Give seconds above 0")
