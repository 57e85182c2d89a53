"""What a version answered: the increases of its servers' counters since the canary began, as figures of the tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.proportions import Clustered

CALLS = ("/score", "/explain")
"""Routes whose answers count."""
FAILED = 500
"""Statuses from here on are failures of the server. So is 429: the server refuses a valid request."""
SQUARES = ("documents_documents", "documents_kept", "kept_kept")
"""Sums of squares and products among `assay.serving.metrics.TERMS`."""
Key = tuple[str, str]
"""Name of a sample, and the value of the label that tells it from its siblings."""
Counters = dict[Key, float]


def parse(text: str, *, where: str = "") -> Counters:
    """Return the counters of /metrics that a canary needs. Raise InputError if they are no metrics of this service."""
    # Of the extra `serve`, which most commands do without.
    from prometheus_client.parser import text_string_to_metric_families

    found: Counters = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = sample.labels
                if sample.name == "assay_requests_total" and labels["route"] in CALLS:
                    status = int(labels["status"])
                    kind = "failed" if status >= FAILED or status == 429 else "answered" if status == 200 else "other"
                    key = ("requests", kind)
                elif sample.name == "assay_request_seconds_bucket" and labels["route"] == "/score":
                    key = ("seconds", labels["le"])
                elif sample.name == "assay_answered_total":
                    key = ("sums", labels["sum"])
                elif sample.name == "assay_p_keep_bucket":
                    key = ("p_keep", labels["le"])
                else:
                    continue
                found[key] = found.get(key, 0.0) + float(sample.value)
    except (ValueError, KeyError) as error:
        raise InputError(f"the counters cannot be read: {error}", where=where) from error
    if ("sums", "documents") not in found:
        raise InputError(
            "the server counts no answered documents: it runs an earlier release",
            where=where,
            fix="Deploy the serving version again with this release, then the canary",
        )
    return found


@dataclass
class Tally:
    """The increases of counters of several servers, some of which may start, restart or end meanwhile."""

    last: dict[str, Counters] = field(default_factory=dict)
    total: Counters = field(default_factory=dict)
    started: bool = False
    """True after the first reading, whose counters are the zero of those servers."""

    def add(self, texts: Mapping[str, str]) -> None:
        """Add a reading of all servers. Raise InputError as `parse`."""
        for server, text in texts.items():
            now = parse(text, where=server)
            before = self.last.get(server, {} if self.started else now)
            for key, value in now.items():
                # A counter that fell was restarted from 0.
                rise = value - before.get(key, 0.0)
                self.total[key] = self.total.get(key, 0.0) + (rise if rise >= 0 else value)
            self.last[server] = now
        self.started = True

    @property
    def traffic(self) -> "Traffic":
        """The figures of the tests."""
        requests = {kind: self.total.get(("requests", kind), 0.0) for kind in ("answered", "failed")}
        edges, slower = _cumulated(self.total, "seconds")
        _, chances = _cumulated(self.total, "p_keep")
        sums = {term: self.total.get(("sums", term), 0.0) for term in ("requests", "documents", "kept")}
        nn, yn, yy = (self.total.get(("sums", name), 0.0) for name in SQUARES)
        return Traffic(
            requests=int(requests["answered"] + requests["failed"]),
            failed=int(requests["failed"]),
            edges=tuple(edges),
            seconds=tuple(slower),
            answered=int(sums["requests"]),
            documents=int(sums["documents"]),
            kept=int(sums["kept"]),
            squares=(nn, yn, yy),
            p_keep=tuple(chances),
        )


def _cumulated(total: Counters, name: str) -> tuple[list[float], list[int]]:
    """Return the upper edges of a histogram and the observations in each of its cells, not cumulated."""
    cells = sorted((float(edge), value) for (kind, edge), value in total.items() if kind == name)
    counts = np.diff([0.0, *(value for _, value in cells)])
    return [edge for edge, _ in cells], [round(float(count)) for count in counts]


@dataclass(frozen=True)
class Traffic:
    """What a version answered during a canary."""

    requests: int = 0
    """Calls that were answered or failed. Calls that the client spoilt (400, 401, 413, …) are left out."""
    failed: int = 0
    """Of these, calls answered 429 or 500 and above."""
    edges: tuple[float, ...] = ()
    """Upper edges of the cells of `seconds`; the last is infinite."""
    seconds: tuple[int, ...] = ()
    """Requests to /score by the time to their answer."""
    answered: int = 0
    """Requests with a scored document."""
    documents: int = 0
    """Documents with a score."""
    kept: int = 0
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Sums over requests of n², n y and y², with n documents of a request, of which y are kept."""
    p_keep: tuple[int, ...] = ()
    """Documents by p_keep, in cells of equal width."""

    @property
    def clustered(self) -> Clustered:
        """The kept documents in clusters: the requests."""
        nn, yn, yy = self.squares
        values = (self.kept, self.documents, yy, yn, nn, self.answered)
        return Clustered(*(np.asarray(value, float) for value in values))

    @property
    def worth(self) -> float:
        """Independent documents that these are worth at least, if documents of a request are all alike."""
        return float(self.clustered.effective_clusters)

    def share_slower(self, edge: int) -> tuple[int, int]:
        """Return the requests slower than the edge of this number, and all requests."""
        return sum(self.seconds[edge + 1 :]), sum(self.seconds)

    @property
    def chances(self) -> NDArray[np.int64]:
        """Documents by p_keep as an array."""
        return np.asarray(self.p_keep, np.int64)
