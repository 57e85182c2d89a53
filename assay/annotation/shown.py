"""What a judge was shown of a document: spans of characters, and the digest of the text in them."""

import hashlib
from dataclasses import dataclass

from assay.annotation.prompt import GAP
from assay.inference import SpanReader


@dataclass(frozen=True)
class Shown:
    """The text that a judge sees."""

    text: str
    spans: tuple[tuple[int, int], ...]
    """(First character, character after the last) of each part of the document."""

    @property
    def digest(self) -> str:
        """Return the sha256 of the text in UTF-8, 64 hex digits."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def places(self) -> str:
        """Return the spans as text for tables: `0-2310;5000-7200`."""
        return ";".join(f"{start}-{end}" for start, end in self.spans)


def show(reader: SpanReader, text: str) -> Shown:
    """Return what a judge is shown of a document: the windows that the model reads of it."""
    spans = reader.spans(text)
    return Shown(GAP.join(text[start:end] for start, end in spans), spans)
