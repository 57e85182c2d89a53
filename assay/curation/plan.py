"""What is built of what, and in which pieces: the plan names every result before there is one.

    <root>/<key>/_build.json            what the key stands for
    <root>/<key>/piece-000000.parquet   one or more members of the source, there when it is complete
    <root>/<key>/pairs-exact.parquet    duplicates that one band finds among the documents of all pieces

A piece depends on nothing but its plan and its members, so whoever makes it, and how often, there is one result.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from assay.cleaning import Benchmarks, read_benchmarks
from assay.curation.config import BuildConfig
from assay.curation.pieces import piece_schema
from assay.dedup import EXACT
from assay.errors import InputError
from assay.sources import Source, kind_of
from assay.storage import digest_json, exists, join, list_names, read_bytes, write_bytes

FORMAT = 1
"""Raised when the same plan would give another piece."""
PLAN = "_build.json"
PAGES = 256
"""HTML files in a piece: an object each would be too many."""


@dataclass(frozen=True)
class Piece:
    """Members of a source that are worked on at one go."""

    number: int
    members: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"piece-{self.number:06d}.parquet"


def pairs_name(band: int) -> str:
    """The file of the pairs that a band finds."""
    return f"pairs-{'exact' if band == EXACT else f'{band:03d}'}.parquet"


@dataclass(frozen=True)
class BuildPlan:
    """Everything that the pieces depend on."""

    source: str
    revision: str
    schema: str
    """Of all members together: Arrow's IPC form in base64."""
    members: tuple[tuple[str, ...], ...]
    """Of each piece."""
    config: BuildConfig
    benchmarks: str = ""
    """Where they lie; empty: none."""
    benchmarks_digest: str = ""

    @classmethod
    def of(cls, source: Source, config: BuildConfig, benchmarks: str = "") -> "BuildPlan":
        """Looks at the whole source. Raises InputError for a column that is missing or holds no text."""
        schema = source.readable_schema
        if not schema.names:
            raise InputError(
                "nothing in it can be read", where=source.uri, fix="Its files may be cut off; get them again"
            )
        piece_schema(schema, config, source.uri)
        digest = read_benchmarks(benchmarks).digest if benchmarks else ""
        packed = base64.b64encode(schema.serialize()).decode()
        return cls(source.uri, source.revision, packed, _dealt(source.members), config, benchmarks, digest)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "BuildPlan":
        """The inverse of `to_json`; raises KeyError or TypeError for anything else."""
        names = ("source", "revision", "schema", "benchmarks", "benchmarks_digest")
        members = tuple(map(tuple, fields["members"]))
        return cls(
            members=members,
            config=BuildConfig.from_json(fields["config"]),
            **{name: fields[name] for name in names},
        )

    @cached_property
    def key(self) -> str:
        """First 16 hex digits of the plan's digest: the folder of its pieces."""
        return digest_json(self.to_json())[:16]

    @property
    def arrow_schema(self) -> pa.Schema:
        """Of all members together."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))

    @property
    def pieces(self) -> list[Piece]:
        """In order."""
        return [Piece(number, members) for number, members in enumerate(self.members)]

    @property
    def bands(self) -> list[int]:
        """Numbers of the bands in which duplicates are looked for."""
        dedup = self.config.dedup
        return [] if self.config.keep_duplicates else [EXACT, *range(dedup.permutations // dedup.band_rows)]

    def open_benchmarks(self) -> Benchmarks | None:
        """Raises InputError where they are not those of the plan any more."""
        if not self.benchmarks:
            return None
        found = read_benchmarks(self.benchmarks)
        if found.digest != self.benchmarks_digest:
            raise InputError(
                "the benchmarks changed since the build was planned", where=self.benchmarks, fix="Run it again"
            )
        return found


def _dealt(members: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """A piece for each member; HTML files, which are small and many, share one."""
    pieces: list[tuple[str, ...]] = []
    pages: list[str] = []
    for member in members:
        if kind_of(member) == ".html":
            pages.append(member)
        else:
            pieces.append((member,))
    pieces += [tuple(pages[start : start + PAGES]) for start in range(0, len(pages), PAGES)]
    return tuple(pieces)


@dataclass(frozen=True)
class PieceFolder:
    """Where the pieces of a plan lie."""

    url: str
    plan: BuildPlan

    @classmethod
    def create(cls, root: str, plan: BuildPlan) -> "PieceFolder":
        """The plan's folder below `root`; making it again changes nothing."""
        folder = cls(join(root, plan.key), plan)
        if not exists(join(folder.url, PLAN)):
            write_bytes(join(folder.url, PLAN), json.dumps(plan.to_json(), indent=1).encode())
        return folder

    @classmethod
    def open(cls, url: str) -> "PieceFolder":
        """Raises InputError where no plan was made."""
        try:
            return cls(url, BuildPlan.from_json(json.loads(read_bytes(join(url, PLAN)))))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"no pieces here: {PLAN} is missing", where=url, fix="Build the snapshot again") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"this plan cannot be read: {error!r}", where=join(url, PLAN)) from error

    def place(self, name: str) -> str:
        """The URL of one of its files."""
        return join(self.url, name)

    def missing_pieces(self) -> list[Piece]:
        """Pieces that are not there yet, as the store says now."""
        there = set(list_names(self.url))
        return [piece for piece in self.plan.pieces if piece.name not in there]

    def missing_bands(self) -> list[int]:
        """Bands whose pairs are not there yet."""
        there = set(list_names(self.url))
        return [band for band in self.plan.bands if pairs_name(band) not in there]
