"""A training run that can be killed: its whole state in one file, which is there whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from assay.progress import say
from assay.storage import staged_file


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of a run is kept; `run` names what the state is good for."""

    path: Path
    run: str
    """Digest of data and settings: the state of another run is never taken up."""
    after_save: Callable[[Path], None] | None = None
    """Called with the file once it is complete, to carry it off the machine."""

    def load(self) -> dict[str, Any] | None:
        """The last complete state of this run, or None."""
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError) as error:
            say(f"the checkpoint {self.path} cannot be read ({error}); training starts anew")
            return None
        if state.get("run") != self.run:
            return None
        return dict(state)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state by a newer one."""
        with staged_file(self.path) as partial, partial.open("wb") as file:  # by name, torch hides what the disk said
            torch.save({"run": self.run, **state}, file)
        if self.after_save:
            self.after_save(self.path)
