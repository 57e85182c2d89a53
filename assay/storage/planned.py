"""A folder of results that a plan names before any of them exists, and how work is dealt out to workers.

    <root>/<key>/<plan_name>   the plan, as JSON
    <root>/<key>/…             the results; each appears when it is complete

The key is the first part of the plan's digest. So the same work has the same folder, and what is missing in it is what
is left to do.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from assay.errors import InputError
from assay.storage.hashing import digest_json
from assay.storage.objects import exists, join, list_names, read_bytes, write_bytes
from assay.storage.records import parse_json

T = TypeVar("T")


class Keyed(Protocol):
    """What a PlannedFolder needs of its plan, which is a dataclass."""

    @property
    def key(self) -> str: ...

    def to_json(self) -> dict[str, Any]: ...


PlanT = TypeVar("PlanT", bound=Keyed)


@dataclass(frozen=True)
class PlannedFolder(Generic[PlanT]):
    """The folder of a plan. A subclass names the plan's type and file, and the words of its messages."""

    url: str
    """Path or fsspec URL of the folder."""
    plan: PlanT

    plan_type: ClassVar[type[Any]]
    plan_name: ClassVar[str]
    """Name of the plan's file."""
    indent: ClassVar[int]
    """Indent of the plan's JSON. Each kind of folder keeps the bytes that it wrote from the beginning."""
    results: ClassVar[str]
    """Name of the results in messages."""
    fix: ClassVar[str]
    """Advice in the message about a folder without a plan."""

    @classmethod
    def create(cls, root: str, plan: PlanT) -> Self:
        """Write the plan into its folder below `root`, unless it exists, and return the folder."""
        folder = cls(join(root, plan.key), plan)
        if not exists(folder.place(cls.plan_name)):
            write_bytes(folder.place(cls.plan_name), json.dumps(plan.to_json(), indent=cls.indent).encode())
        return folder

    @classmethod
    def open(cls, url: str) -> Self:
        """Read the plan of a folder. Raise InputError if it is missing or damaged, or is not the one of this folder."""
        place = join(url, cls.plan_name)
        try:
            text = read_bytes(place)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"no {cls.results} here: {cls.plan_name} is missing", where=url, fix=cls.fix) from error
        plan = parse_json(cls.plan_type, text, what="this plan", where=place)
        key = url.rstrip("/").rsplit("/", 1)[-1]
        # Not of `plan`: it has the number of today's format, also if it was written in an earlier one.
        if digest_json(json.loads(text))[: len(key)] != key:
            raise InputError("this plan is not what was written: its folder has another name", where=place, fix=cls.fix)
        return cls(url, plan)

    def place(self, name: str) -> str:
        """Return the path or URL of a file of the folder."""
        return join(self.url, name)

    def absent(self, results: Iterable[T], name: Callable[[T], str]) -> list[T]:
        """Return the results whose files do not exist, in their order. `name` gives the file name of a result."""
        # One listing, not a request for each result: in an object store a plan may have many thousands.
        existing = set(list_names(self.url))
        return [result for result in results if name(result) not in existing]


def deal(work: Sequence[T], workers: int) -> list[list[T]]:
    """Deal out work in turn to at most `workers` shares, none of them empty. Raise InputError for fewer than one."""
    if workers < 1:
        raise InputError(f"{workers} workers", fix="Give 1 or more")
    return [list(work[first::workers]) for first in range(min(workers, len(work)))]


def deal_runs(work: Sequence[T], workers: int) -> list[list[T]]:
    """Deal out work as `deal`, but in runs of neighbours: then a worker reads, and verifies, few shards of a corpus."""
    sizes = [len(share) for share in deal(work, workers)]
    ends = list(itertools.accumulate(sizes))
    return [list(work[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
