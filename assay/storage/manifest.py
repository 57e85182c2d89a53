"""The manifest of a snapshot: its shards with their digests, its version, and its origin."""

import re
from dataclasses import dataclass, field
from typing import Any

from assay.errors import InputError
from assay.storage.hashing import digest_json
from assay.storage.objects import join, read_bytes
from assay.storage.records import only_known_fields, parse_json

MANIFEST = "manifest.json"
TOKEN_ESTIMATE = "estimate: UTF-8 bytes / 4"
SHARD = re.compile(r"part-\d{5,}\.parquet")
"""The names that shards have. Any other could lead to a file that is no part of the snapshot."""
AGAIN = "Make the snapshot again"


@only_known_fields
@dataclass(frozen=True)
class Shard:
    """One Parquet file of a snapshot."""

    name: str
    rows: int
    bytes: int
    sha256: str
    """Digest of its bytes. Empty for a file of an object store that is read where it lies."""
    tag: str = ""
    """What the object store says of the content of such a file: its entity tag or generation, and its size."""
    groups: tuple[tuple[int, int], ...] = ()
    """Row groups of a file that is read where it lies: runs of equal ones, as rows of each and their number."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. What only files have that are read where they lie is left out for others."""
        later = {"tag": self.tag, "groups": [list(run) for run in self.groups]}
        own = {"name": self.name, "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256}
        return {**own, **{name: value for name, value in later.items() if value}}


@only_known_fields
@dataclass(frozen=True)
class Reference:
    """Files that are read where they lie, in place of shards beside the manifest."""

    root: str
    """Folder or URL of the files. Not part of the version: the same files in another place are the same documents."""
    columns: dict[str, str]
    """Column of the snapshot -> column of the files. Ids are digests of the texts if that of `id` is empty."""


@only_known_fields
@dataclass(frozen=True)
class Manifest:
    """The content of a snapshot, and its origin."""

    version: str
    """Digest of `schema`, `rows` and the shards, 64 hex digits."""
    schema: dict[str, str]
    """Column -> Arrow type."""
    rows: int
    tokens: int
    tokenizer: str
    """Name of the tokenizer that counted the tokens, or `TOKEN_ESTIMATE`."""
    shards: tuple[Shard, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    """Sources with revision, and settings. Not part of the version. It has no time, so that the same work gives the
    same bytes."""
    reference: Reference | None = None
    """Where the files lie and what their columns are called, if they are no shards beside the manifest."""


def read_manifest(url: str) -> Manifest:
    """Return the manifest of the snapshot in a folder or below an fsspec URL.

    Raise InputError if it is missing or damaged, was edited after it was written, or names files that are no shards.
    """
    where = join(url, MANIFEST)
    try:
        data = read_bytes(where)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"no snapshot: {MANIFEST} is missing", where=url, fix="Make it again; a run that fails leaves none"
        ) from error
    except OSError as error:
        raise InputError(f"the manifest cannot be read: {error!r}", where=where, fix=AGAIN) from error
    manifest = parse_json(Manifest, data, what="the manifest", where=where, fix=AGAIN)
    if fault := _fault(manifest):
        raise InputError(fault, where=where, fix=AGAIN)
    return manifest


def _fault(manifest: Manifest) -> str:
    """Return what is wrong with a manifest, for people. Empty if it can be used."""
    names = [shard.name for shard in manifest.shards]
    strange = [name for name in names if not SHARD.fullmatch(name)]
    if manifest.reference:
        if outside := [name for name in names if name.startswith("/") or ".." in name.split("/")]:
            return f"the manifest names {outside[0]!r}, which is not below the folder of its files"
        if unpinned := [shard.name for shard in manifest.shards if not (shard.sha256 or shard.tag)]:
            return f"the manifest does not say which content {unpinned[0]!r} has"
        if manifest.reference.columns.keys() != manifest.schema.keys():
            return "the manifest does not say what each column is called in its files"
    elif strange:
        return f"the manifest names {strange[0]!r} as a shard, and shards are named part-00000.parquet and so on"
    if not names or len(set(names)) < len(names):
        return "the manifest names no shard, or one twice"
    if digest_json(content(manifest)) != manifest.version:
        return "the manifest is not what was written: its version is not the digest of its content"
    rows = [shard.rows for shard in manifest.shards]
    if min(rows) < 1 or sum(rows) != manifest.rows:
        return f"the manifest counts {manifest.rows:,} rows, and its shards do not add up to them"
    if "text" not in manifest.schema:
        return "the manifest has no column `text`"
    sources = manifest.provenance.get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(each, dict) and "uri" in each for each in sources):
        return "the manifest's provenance does not name its sources as a list with `uri`"
    return ""


def content(manifest: Manifest) -> dict[str, Any]:
    """Return the fields that the version covers, as plain JSON values."""
    return {
        "schema": manifest.schema,
        "rows": manifest.rows,
        "tokens": manifest.tokens,
        "tokenizer": manifest.tokenizer,
        "shards": [shard.to_json() for shard in manifest.shards],
        **({"reference": manifest.reference.columns} if manifest.reference else {}),
    }


def named_sources(provenance: dict[str, Any]) -> str:
    """Return the sources of a provenance as the user named them, for messages."""
    return ", ".join(str(source["uri"]) for source in provenance.get("sources", []))
