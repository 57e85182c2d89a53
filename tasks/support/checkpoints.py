"""A training checkpoint off the machine: Flyte keeps one file an attempt, and hands it to the next."""

from pathlib import Path

from flytekit import current_context

from assay.storage import staged_file


def restore_checkpoint(path: Path) -> None:
    """Bring the former attempt's checkpoint to this machine, where there is one and none lies here yet."""
    store = current_context().checkpoint
    if store is None or not store.prev_exists() or path.exists():
        return
    data = store.read()
    if data:
        with staged_file(path) as partial:
            partial.write_bytes(data)


def save_checkpoint(path: Path) -> None:
    """Carry a complete checkpoint into Flyte's store."""
    store = current_context().checkpoint
    if store is not None:
        store.write(path.read_bytes())
