"""The work of the tasks of a map, each share in a file: a literal of Flyte may hold no more than 2 MiB.

`storage.limits.maxDownloadMBs` of Flyte is 2 by default, and all outputs of a task count together: 14,400 pieces of a
build, or 95,326 parts of a corpus, are more.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from flytekit import current_context
from flytekit.types.file import FlyteFile

from assay.errors import InputError
from assay.storage import parse_json
from tasks.support.types import stored_file

S = TypeVar("S")
MOST = 5_000
"""Tasks of a map that Flyte's propeller takes by default."""


def store_shares(shares: Sequence[Any]) -> list[FlyteFile]:
    """Return one file for each share, a dataclass, below the raw-output prefix of the run.

    Raise InputError for more than MOST shares.
    """
    if len(shares) > MOST:
        raise InputError(
            f"{len(shares):,} tasks in one map, and Flyte takes {MOST:,} by default",
            where="workers",
            fix=f"Give at most {MOST}",
        )
    folder = Path(current_context().working_directory) / "shares"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:06d}.json" for number in range(len(shares))]
    for file, share in zip(files, shares, strict=True):
        file.write_text(json.dumps(asdict(share), ensure_ascii=False), encoding="utf-8")
    return [stored_file(file) for file in files]


def read_share(kind: type[S], file: FlyteFile) -> S:
    """Return the share of a file of `store_shares`. Raise InputError if it is damaged."""
    path = Path(file.download())
    return parse_json(kind, path.read_bytes(), what="this share of the work", where=str(file))
