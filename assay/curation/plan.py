"""The plan of a build: it names every piece and every file of pairs before one exists.

    <root>/<key>/_build.json            the plan
    <root>/<key>/_source.json           checksums of the members, and what is not read
    <root>/<key>/piece-000000.parquet   the cleaned documents of one or more members of the source
    <root>/<key>/pairs-exact.parquet    the duplicates that one band finds among the documents of all pieces

A piece depends on its plan and its members only. So its bytes are the same whichever process makes it, and however
often.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import pyarrow as pa

from assay.cleaning import Benchmarks, read_benchmarks
from assay.curation.config import BuildConfig
from assay.curation.pieces import piece_schema
from assay.dedup import EXACT
from assay.errors import InputError, without_secrets
from assay.sources import Passed, Source, kind_of
from assay.storage import PlannedFolder, digest_json, join, parse_json, read_bytes, write_bytes

FORMAT = 1
"""Increased when a change of the code gives other pieces for the same plan, so that old pieces are not reused."""
FORMATS = {".warc": 2, ".wet": 2, ".csv": 2}
"""Kind of file -> format of its pieces, where it is not FORMAT. These kinds were read otherwise once, with losses."""
PLAN, SOURCE = "_build.json", "_source.json"
PAGES = 256
"""HTML files in a piece. One piece for each file would be too many objects."""


@dataclass(frozen=True)
class Piece:
    """Members of a source that become one file."""

    number: int
    members: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return f"piece-{self.number:06d}.parquet"


def pairs_name(band: int) -> str:
    """Return the name of the file with the pairs that a band finds."""
    return f"pairs-{'exact' if band == EXACT else f'{band:03d}'}.parquet"


@dataclass(frozen=True)
class BuildPlan:
    """Everything that the pieces depend on."""

    source: str
    """URI of the source."""
    revision: str
    schema: str
    """Schema of all members together, as Arrow's IPC form in base64."""
    members: tuple[tuple[str, ...], ...]
    """Members of each piece, in the order of the pieces."""
    config: BuildConfig
    benchmarks: str = ""
    """Place of the benchmark texts; empty if documents are not compared with any."""
    benchmarks_digest: str = ""
    checksums: dict[str, str] = field(default_factory=dict)
    """Member -> checksum of its content when the build was planned. Empty in plans of older releases."""
    passed: tuple[Passed, ...] = ()
    """Parts of the source that are not read."""

    @classmethod
    def of(cls, source: Source, config: BuildConfig, benchmarks: str = "") -> "BuildPlan":
        """Plan the build of a source, whose members are all opened.

        Raise InputError if nothing in it can be read, or a column is missing or is no text.
        """
        schema = source.readable_schema
        if not schema.names:
            raise InputError("there is no row in it", where=source.uri, fix="Give at least one document")
        piece_schema(schema, config, source.uri)
        if without_secrets(benchmarks) != benchmarks:
            raise InputError(
                "the place of the benchmarks holds a password or a signature, which would be stored",
                where=benchmarks,
                fix="Give it by the settings of its store, or copy the benchmarks to a disk",
            )
        digest = read_benchmarks(benchmarks).digest if benchmarks else ""
        checksums = source.checksums(source.members)
        packed = base64.b64encode(schema.serialize()).decode()
        return cls(
            source.uri,
            source.revision_of(checksums),
            packed,
            _members_of_pieces(source.members),
            config,
            benchmarks,
            digest,
            checksums,
            source.passed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        fields = asdict(self)
        fields["config"]["columns"] = self.config.columns.to_json()
        fields["config"]["clean"] = self.config.clean.to_json()
        # They are beside the plan: the revision covers the checksums, and no piece depends on what is not read.
        del fields["checksums"], fields["passed"]
        return {"format": self.format, **fields}

    @property
    def format(self) -> int:
        """Format of the pieces."""
        return max(
            (FORMATS.get(kind_of(name) or "", FORMAT) for group in self.members for name in group), default=FORMAT
        )

    @cached_property
    def key(self) -> str:
        """Return the first 16 hex digits of the plan's digest: the name of the folder of its pieces."""
        return digest_json(self.to_json())[:16]

    @property
    def arrow_schema(self) -> pa.Schema:
        """Return the schema of all members together."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))

    @property
    def pieces(self) -> list[Piece]:
        """Return all pieces, in order."""
        return [Piece(number, members) for number, members in enumerate(self.members)]

    @property
    def bands(self) -> list[int]:
        """Return the numbers of the bands that are searched for duplicates."""
        dedup = self.config.dedup
        return [] if self.config.keep_duplicates else [EXACT, *range(dedup.permutations // dedup.band_rows)]

    def open_benchmarks(self) -> Benchmarks | None:
        """Read the benchmark texts. Raise InputError if they differ from those that were planned."""
        if not self.benchmarks:
            return None
        found = read_benchmarks(self.benchmarks)
        if found.digest != self.benchmarks_digest:
            raise InputError(
                "the benchmarks changed since the build was planned", where=self.benchmarks, fix="Run it again"
            )
        return found


def _members_of_pieces(members: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the members of each piece: one member, or up to PAGES of the HTML files, which are small and many."""
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
class _Known:
    """Content of SOURCE."""

    checksums: dict[str, str] = field(default_factory=dict)
    passed: tuple[Passed, ...] = ()


@dataclass(frozen=True)
class PieceFolder(PlannedFolder[BuildPlan]):
    """The folder with the pieces and pairs of a plan."""

    plan_type: ClassVar[type[Any]] = BuildPlan
    plan_name: ClassVar[str] = PLAN
    indent: ClassVar[int] = 1
    results: ClassVar[str] = "pieces"
    fix: ClassVar[str] = "Build the snapshot again"

    @classmethod
    def create(cls, root: str, plan: BuildPlan) -> Self:
        """Write the plan into its folder, unless it exists, with what is known of the source, and return the folder."""
        folder = super().create(root, plan)
        known = _Known(plan.checksums, plan.passed)
        if cls._known(folder.url) != known:
            write_bytes(folder.place(SOURCE), json.dumps(asdict(known), indent=1).encode())
        return folder

    @classmethod
    def open(cls, url: str) -> Self:
        """Read the plan of a folder, and what is known of its source. Raise InputError if one is damaged."""
        folder = super().open(url)
        known = cls._known(url)
        return cls(url, replace(folder.plan, checksums=known.checksums, passed=known.passed))

    @staticmethod
    def _known(url: str) -> "_Known":
        place = join(url, SOURCE)
        try:
            data = read_bytes(place)
        except FileNotFoundError:
            return _Known()  # the folder was made by an earlier release
        return parse_json(_Known, data, what="what is known of the source", where=place, fix="Build the snapshot again")

    def missing_pieces(self) -> list[Piece]:
        """List the folder and return the pieces that do not exist yet."""
        return self.absent(self.plan.pieces, lambda piece: piece.name)

    def missing_bands(self) -> list[int]:
        """List the folder and return the bands whose pairs do not exist yet."""
        return self.absent(self.plan.bands, pairs_name)
