"""A training run that can be killed: its whole state in one file, which is there whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
    stage: str = ""
    """Which of the run's models this is, where it fits several one after the other; all share the file."""
    carried: dict[str, Any] = field(default_factory=dict)
    """What earlier stages found out; saved with the state of this one."""

    def load(self) -> dict[str, Any] | None:
        """The last complete state of this stage of this run, or None."""
        state = self._read()
        return state if state and state.get("stage", "") == self.stage else None

    def load_carried(self) -> dict[str, Any]:
        """What the last stopped stage of this run, whichever it was, had been given."""
        return dict((self._read() or {}).get("carried", {}))

    def _read(self) -> dict[str, Any] | None:
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
            torch.save({"run": self.run, "stage": self.stage, "carried": self.carried, **state}, file)
        if self.after_save:
            self.after_save(self.path)
