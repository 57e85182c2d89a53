"""Shards that are read only if their bytes are those of the manifest."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import InputError
from assay.storage.manifest import Shard
from assay.storage.objects import join, local_path, open_binary, open_ranges, state_of

PIECE = 4 * 2**20
"""Bytes that are read at once while a shard is hashed."""
LYING = "Make the snapshot anew, of the files as they are now (assay snapshot adopt); --copy keeps them as they are"
FIX = "It is gone or damaged: restore it, or make the snapshot again, and run the same command"


@dataclass(frozen=True)
class VerifiedShards:
    """Open shards of one snapshot, and compare the bytes of each with its digest once.

    A shard that changed since is compared again: on a disk by its inode, size and times, in an object store by its
    entity tag or generation.
    """

    states: dict[str, str] = field(default_factory=dict)
    """Name of a verified shard -> its state when it was verified, as `state_of` returns it."""

    @contextmanager
    def open(self, url: str, shard: Shard, schema: Mapping[str, str] | None) -> Iterator[pq.ParquetFile]:
        """Yield a shard of the snapshot at `url`, whose manifest has this schema. None: a file that is read in place.

        A file in place in an object store is read by ranges. Its tag is compared with that of the manifest, and each
        range is asked for by that tag.

        Raise InputError if it is missing, cannot be read, is not what was written, or changes while it is read.
        """
        try:
            with ExitStack() as opened:
                file = opened.enter_context((open_ranges if shard.tag else open_binary)(join(url, shard.name)))
                state, source = state_of(file), file
                if shard.tag:
                    if state != shard.tag:
                        raise _not_written(shard, url)
                elif not state or self.states.get(shard.name) != state:
                    if not local_path(url):
                        # Those bytes are parsed that were hashed, and an object store sends them once.
                        source = opened.enter_context(tempfile.TemporaryFile(prefix="assay-"))
                    if _sha256(file, source) != shard.sha256:
                        raise _not_written(shard, url)
                    self.states[shard.name] = state
                ranged = bool(shard.tag)  # the columns of a row group then come in few requests
                parquet = opened.enter_context(
                    pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=ranged)
                )
                if schema is not None:
                    _require_content(parquet, shard, schema, url)
                yield parquet
                if state_of(file) != state:
                    raise _not_written(shard, url)
        except FileNotFoundError as error:
            what = "file" if shard.groups else "shard"
            fix = LYING if shard.groups else FIX
            raise InputError(f"{what} {shard.name} is missing", where=url, fix=fix) from error
        except (OSError, pa.ArrowException) as error:
            if type(error).__name__ == "FileExpired":  # s3fs: the range of another content was refused
                raise _not_written(shard, url) from error
            # Also errors of a network: the same command resumes the work.
            words = str(error).splitlines() or [repr(error)]
            raise InputError(f"shard {shard.name} cannot be read: {words[0]}", where=url, fix=FIX) from error


def _sha256(file: Any, copy: Any) -> str:
    """Return the sha256 of a file. Write its bytes to `copy`, unless it is the file. Leave both at the beginning."""
    digest = hashlib.sha256()
    while data := file.read(PIECE):
        digest.update(data)
        if copy is not file:
            copy.write(data)
    file.seek(0)
    copy.seek(0)
    return digest.hexdigest()


def _require_content(parquet: pq.ParquetFile, shard: Shard, schema: Mapping[str, str], url: str) -> None:
    """Raise InputError if the manifest counts other rows or names other columns than the shard has.

    Only a manifest that another program wrote can be wrong in this way: the digest of the shard is right.
    """
    found = {column.name: str(column.type) for column in parquet.schema_arrow}
    if parquet.metadata.num_rows != shard.rows or found != dict(schema):
        raise InputError(
            f"shard {shard.name} has {parquet.metadata.num_rows:,} rows and the columns {', '.join(found)}, and the "
            f"manifest states {shard.rows:,} rows and {', '.join(schema)}",
            where=url,
            fix="Make the snapshot again",
        )


def _not_written(shard: Shard, url: str) -> InputError:
    if shard.groups:
        return InputError(f"file {shard.name} changed since the snapshot was made of it", where=url, fix=LYING)
    return InputError(
        f"shard {shard.name} is not what was written: its bytes are not those of the manifest", where=url, fix=FIX
    )
