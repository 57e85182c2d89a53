"""Checkpoints: the whole state of a training run in one file, so that a killed run can be resumed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.progress import say
from assay.storage import staged_file


@dataclass(frozen=True)
class Checkpoint:
    """File with the state of a run. The file is complete or does not exist."""

    path: Path
    """The file. It need not exist yet."""
    run: str
    """Digest of data and settings. The state of another run is ignored."""
    after_save: Callable[[Path], None] | None = None
    """Called with each complete file, to copy it to another machine."""
    stage: str = ""
    """Name of the model in a run that fits several models in turn. All of them share the file."""
    carried: dict[str, Any] = field(default_factory=dict)
    """Results of earlier stages, saved with the state of this one."""

    def load(self) -> dict[str, Any] | None:
        """Return the last complete state of this stage of this run. None if no such state exists."""
        state = self._read()
        return state if state and state.get("stage", "") == self.stage else None

    def load_carried(self) -> dict[str, Any]:
        """Return `carried` of the last state of this run, whatever its stage. Empty if no state exists."""
        return dict((self._read() or {}).get("carried", {}))

    def _read(self) -> dict[str, Any] | None:
        """Return the state in the file. None if it is missing, damaged or of another run."""
        if not self.path.is_file():
            return None
        import torch

        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)  # a pickled file can run code
        except (RuntimeError, EOFError, OSError) as error:
            # A damaged checkpoint costs time only: the run can compute all of it again.
            say(f"the checkpoint {self.path} cannot be read ({error}); training starts from the beginning")
            return None
        if state.get("run") != self.run:
            return None
        return dict(state)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state in the file."""
        import torch

        # torch gets an open file: given a path, it hides the error of the disk.
        with staged_file(self.path) as partial, partial.open("wb") as file:
            torch.save({"run": self.run, "stage": self.stage, "carried": self.carried, **state}, file)
        if self.after_save:
            self.after_save(self.path)
