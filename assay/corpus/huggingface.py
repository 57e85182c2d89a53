"""A dataset of the Hugging Face hub, streamed, at a pinned revision."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from assay.errors import InputError

PREFIX = "hf://datasets/"


@dataclass(frozen=True)
class HubSource:
    """`hf://datasets/OWNER/NAME@REVISION[/SPLIT]`."""

    uri: str
    name: str
    revision: str
    split: str

    def batches(self) -> Iterator[pa.RecordBatch]:
        import datasets  # slow to import, and needed for this source only

        try:
            stream = datasets.load_dataset(self.name, revision=self.revision, split=self.split, streaming=True)
            rows = iter(stream)
            schema = stream.features.arrow_schema.remove_metadata() if stream.features else None
            while chunk := list(itertools.islice(rows, 1_000)):
                batch = pa.RecordBatch.from_pylist(chunk, schema=schema)
                schema = schema or batch.schema
                yield batch
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise InputError(
                f"the dataset cannot be read: {str(error).splitlines()[0]}",
                where=self.uri,
                fix="Check name, revision and split, and that the hub can be reached",
            ) from error


def parse(uri: str) -> HubSource:
    """Raises InputError unless a revision is pinned: a moving branch would be another dataset tomorrow."""
    owner, _, rest = uri.removeprefix(PREFIX).partition("/")
    name, _, split = rest.partition("/")
    name, _, revision = name.partition("@")
    if not owner or not name or not revision:
        raise InputError(
            "a hub dataset needs owner, name and a pinned revision",
            where=uri,
            fix=f"Write {PREFIX}OWNER/NAME@REVISION or {PREFIX}OWNER/NAME@REVISION/SPLIT",
        )
    return HubSource(uri, f"{owner}/{name}", revision, split or "train")
