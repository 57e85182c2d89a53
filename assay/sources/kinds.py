"""Kinds of files, by the endings of their names."""

from urllib.parse import urlsplit

from assay.sources.streams import PACKINGS

KINDS = (".parquet", ".jsonl", ".csv", ".warc", ".wet", ".html")
"""Kinds of files. A file of another ending in ALIASES is read as one of them."""
ALIASES = {".ndjson": ".jsonl", ".json": ".jsonl", ".htm": ".html"}
PACKED = (".jsonl", ".ndjson", ".json", ".csv", ".warc", ".wet", ".html", ".htm")
"""Endings that may be followed by one of PACKINGS."""


def without_query(path: str) -> str:
    """Return the path of an HTTP URL without its query, which may be a signature; any other path as it is."""
    return urlsplit(path)._replace(query="", fragment="").geturl() if path.startswith(("http://", "https://")) else path


def kind_of(path: str) -> str | None:
    """Return the kind of a file, or None if the file is hidden or of no known kind."""
    name = without_query(path).rsplit("/", 1)[-1].lower()
    if name.startswith((".", "_")):
        return None
    packing = next((ending for ending in PACKINGS if name.endswith(ending)), "")
    bare = name.removesuffix(packing)
    ending = next((ending for ending in (*KINDS, *ALIASES) if bare.endswith(ending)), None)
    if ending is None or (packing and ending not in PACKED):
        return None
    return ALIASES.get(ending, ending)
