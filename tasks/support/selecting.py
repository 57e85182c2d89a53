"""What the tasks of a selection share."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flytekit import current_context
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from assay.registry import Registry
from assay.scoring import PartFolder, Scores
from assay.selection import SelectionRequest, prepared
from assay.storage import Snapshot
from tasks.support.types import place_of, stored_file


@contextmanager
def writing_of(
    corpus: FlyteDirectory, folder: str, registry: str, version: str, request: SelectionRequest
) -> Iterator[Any]:
    """Yield a Writing of the library: what is known of a selection before anything is chosen."""
    snapshot, scores = Snapshot.open(place_of(corpus)), Scores.complete(PartFolder.open(folder))
    with Registry(registry).open(version) as model:
        yield prepared(snapshot, scores, model, request)


def stored_json(value: Any) -> FlyteFile:
    """Return a dataclass as a file below the raw-output prefix of the run."""
    path = Path(current_context().working_directory) / "found.json"
    path.write_text(json.dumps(asdict(value), ensure_ascii=False), encoding="utf-8")
    return stored_file(path)
