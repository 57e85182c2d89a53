"""Stream a dataset of the Hugging Face hub at a pinned revision."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa

from assay.errors import InputError
from assay.sources.damage import DamageHandler, Passed, shortened
from assay.sources.schemas import conformed

PREFIX = "hf://datasets/"
MOST_WORDS = 2_000
"""Most characters of a message of the library, which may list all configurations."""
ROWS = 1_000
"""Largest number of rows in a batch."""


@dataclass(frozen=True)
class HubSource:
    """One split of a dataset: `hf://datasets/OWNER/NAME@REVISION[[/CONFIG]/SPLIT]`."""

    uri: str
    name: str
    revision: str
    split: str
    config: str = ""
    """Name of the configuration; empty if the dataset has one only, or a default one."""

    @cached_property
    def _stream(self) -> Any:
        import datasets  # slow to import, and needed by this source only

        found = datasets.load_dataset(
            self.name,
            self.config or None,
            revision=self.revision,
            split=self.split,
            streaming=True,
            trust_remote_code=False,  # this release runs no scripts of datasets; no later one shall
        )
        # Images, sounds and videos stay the bytes that they are: nothing here looks into them.
        return found.decode(False) if found.features else found

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        import datasets

        try:
            yield
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            # The names of the configurations are in the second line.
            words = " ".join(line.strip() for line in str(error).splitlines()[:2])
            several = "Config name is missing" in words
            raise InputError(
                f"the dataset cannot be read: {shortened(words, MOST_WORDS)}",
                where=self.uri,
                fix=f"Name one: {PREFIX}{self.name}@{self.revision}/CONFIG/{self.split}"
                if several
                else "Check name, revision, configuration and split, and that the hub can be reached",
            ) from error

    passed: ClassVar[tuple[Passed, ...]] = ()

    def checksums(self, _members: Iterable[str]) -> dict[str, str]:
        """Return nothing: the revision pins all members."""
        return {}

    def revision_of(self, _checksums: Mapping[str, str]) -> str:
        return self.revision

    def batches(self, _text: str = "", _names: Iterable[str] = ()) -> Iterator[pa.RecordBatch]:
        with self._clear_errors():
            yield from _batches(self._stream, None)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the files of the split, by number."""
        with self._clear_errors():
            count = self._stream.num_shards
        return tuple(f"{self.split}-{number:05d}-of-{count:05d}" for number in range(count))

    @cached_property
    def readable_schema(self) -> pa.Schema:
        """Columns that the dataset declares, otherwise those of its first rows."""
        with self._clear_errors():
            if self._stream.features:
                return self._stream.features.arrow_schema.remove_metadata()
            return next(_batches(self._stream, None)).schema

    def read(self, member: str, schema: pa.Schema, _on_damage: DamageHandler, /) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one file. Never report damage: what the network fails to deliver now may arrive later."""
        # `train-00000-of-00002` gives 0 and 2.
        number, count = (int(word) for word in member.rsplit("-", 3)[1::2])
        with self._clear_errors():
            for batch in _batches(self._stream.shard(num_shards=count, index=number), schema):
                yield conformed(batch, schema, member)


def _batches(stream: Any, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    rows = iter(stream)
    if schema is None and stream.features:
        schema = stream.features.arrow_schema.remove_metadata()
    while chunk := list(itertools.islice(rows, ROWS)):
        batch = pa.RecordBatch.from_pylist(chunk, schema=schema)
        schema = schema or batch.schema
        yield batch


def parse(uri: str) -> HubSource:
    """Return the source of a URL. Raise InputError if no revision is pinned: a branch changes with time."""
    owner, _, rest = uri.removeprefix(PREFIX).partition("/")
    name, _, place = rest.partition("/")
    name, _, revision = name.partition("@")
    config, _, split = place.rpartition("/")
    if not owner or not name or not revision or "/" in config:
        raise InputError(
            "a hub dataset needs owner, name and a pinned revision",
            where=uri,
            fix=f"Write {PREFIX}OWNER/NAME@REVISION, and behind it /SPLIT or /CONFIG/SPLIT for others than train",
        )
    return HubSource(uri, f"{owner}/{name}", revision, split or "train", config)
