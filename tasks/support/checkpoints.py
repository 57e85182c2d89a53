"""A training checkpoint in Flyte's store, which keeps one file of each attempt and gives it to the next attempt."""

from pathlib import Path

from flytekit import current_context

from assay.storage import staged_file


def restore_checkpoint(path: Path) -> None:
    """Download the checkpoint of the former attempt, if there is one and none is on this machine."""
    # A local run has a store without a former attempt; its own checkpoint is in the work folder.
    store = current_context().checkpoint
    if store is None or not store.prev_exists() or path.exists():
        return
    data = store.read()
    if data:
        with staged_file(path) as partial:  # a download that is cut short must not look like a checkpoint
            partial.write_bytes(data)


def save_checkpoint(path: Path) -> None:
    """Upload a complete checkpoint to Flyte's store."""
    store = current_context().checkpoint
    if store is not None:
        store.write(path.read_bytes())
