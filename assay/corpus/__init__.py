"""Raw documents in: any source of rows, with its revision, into a versioned snapshot."""

from assay.corpus.acquire import Columns, acquire, canonical
from assay.corpus.source import Source, open_source

__all__ = ["Columns", "Source", "acquire", "canonical", "open_source"]
