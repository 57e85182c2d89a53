"""Which documents are to be judged, and what of each is shown: one pass over the rows, before any question is asked."""

from collections.abc import Iterator

import pandas as pd

from assay.annotation.shown import Shown, show
from assay.inference import SpanReader
from assay.progress import counter
from assay.storage import Snapshot

NO_ID, NO_TEXT, OTHER_TEXT = "no id", "no text", "id of another text"
"""Reasons for which a document is not judged."""


def documents(snapshot: Snapshot, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, str, str]]:
    """Yield row, id and text of each document; a missing id or text is empty."""
    for first, batch in snapshot.rows(start, stop, ["id", "text"]):
        names, texts = batch.column("id").to_pylist(), batch.column("text").to_pylist()
        for place, (name, text) in enumerate(zip(names, texts, strict=True)):
            yield first + place, str(name or ""), text or ""


def survey(snapshot: Snapshot, reader: SpanReader, start: int = 0, stop: int | None = None) -> pd.DataFrame:
    """Return `row`, `id`, `span`, `places` and `unjudged` of the documents from row `start` to before `stop`.

    `span` is the digest of what is shown, `places` its characters. `unjudged` is the reason why a document is not
    judged; empty for the others. Texts are not kept.
    """
    rows, first_span = [], dict[str, str]()
    total = (snapshot.manifest.rows if stop is None else min(stop, snapshot.manifest.rows)) - start
    with counter(total=total, unit=" documents", what="spans") as shown:
        for row, name, text in documents(snapshot, start, stop):
            seen = show(reader, text) if text.strip() else Shown("", ())
            reason = "" if name and seen.spans else (NO_ID if not name else NO_TEXT)
            span = seen.digest if seen.spans else ""
            # A second text under one id would get the label of the first.
            if not reason and first_span.setdefault(name, span) != span:
                reason = OTHER_TEXT
            rows.append((row, name, span, seen.places, reason))
            shown.update()
    table = pd.DataFrame(rows, columns=["row", "id", "span", "places", "unjudged"])
    return table.astype({"row": int, "id": "str", "span": "str", "places": "str", "unjudged": "str"})
