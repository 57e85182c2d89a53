"""The wear of a test set: the number of times that its documents have measured models, and their age.

A model that is chosen by a test set is fitted to it, even without training on it (Dwork et al. 2015, "The reusable
holdout: Preserving validity in adaptive data analysis", Science 349). The speed depends on how much each choice
follows the last one. So the limits are a convention, and the log only counts.

Uses are counted for each document, so that a set that grows keeps its wear: a set has served as often as its documents
have on average. A use is a challenge, or a report on the documents: of a registered model on its test part, of
`assay evaluate`, or of `assay compare`.

    <registry>/test_sets/<digest>/00000001.json    one use of a set: its time, its kind, and the models
    <registry>/test_documents/<digest>.parquet     digests of the texts of the set; the digest is that of its ids
"""

import datetime
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.errors import InputError
from assay.promotion.limits import PromotionLimits
from assay.promotion.spending import YEAR
from assay.storage import (
    NumberedLog,
    create,
    join,
    list_names,
    only_known_fields,
    open_parquet,
    parquet_bytes,
    read_bytes,
    read_columns,
)

CHALLENGE = "challenge"


def digest_ids(ids: Sequence[str] | pd.Series) -> str:
    """Return the digest of a set of documents by their ids, in any order: 64 hex digits."""
    return hashlib.sha256(json.dumps(sorted(set(ids))).encode()).hexdigest()


@only_known_fields
@dataclass(frozen=True)
class Use:
    """One use of a test set."""

    when: str
    """Time of the use, ISO 8601, UTC."""
    challenger: str
    """Digest of the model that was measured."""
    champion: str
    """Digest of the model that it was compared with; empty if there was none."""
    kind: str = CHALLENGE
    """`challenge`, which is a decision; or `train`, `evaluate`, `compare`, which are reports."""
    rubric: str = ""
    """Name of the rubric; empty in entries of earlier releases."""

    @property
    def models(self) -> tuple[str, str]:
        """The two models in any order: a second report on them shows nothing new."""
        one, other = sorted((self.challenger, self.champion))
        return one, other


@only_known_fields
@dataclass(frozen=True)
class Wear:
    """The uses and the age of a test set."""

    digest: str
    """Digest of the ids of its documents."""
    documents: int
    uses: int
    """Uses that its documents have served on average, rounded up, this one included."""
    since: str
    """Time from which at least half of its documents have served, ISO 8601, UTC."""
    days: float
    """Days from then to now."""
    decisions: int = 1
    """Challenges by the rubric in the last 365 days, on any documents, this one included."""

    def complaint(self, limits: PromotionLimits) -> str:
        """Return a sentence with the reasons for a new test set. Empty if the set is within both limits."""
        reasons = []
        if self.uses > limits.test_uses:
            reasons.append(
                f"its documents have served {self.uses} times, and {limits.test_uses} are allowed (models that are "
                "made knowing earlier results come to fit them)"
            )
        if self.days > limits.test_days:
            reasons.append(f"they have served for {self.days:,.0f} days, and {limits.test_days:,.0f} are allowed")
        return f"This test set is worn out: {' and '.join(reasons)}. Label a new one." if reasons else ""

    def in_words(self) -> str:
        """Return the uses and the first day, as `use 3 since 2026-01-31`."""
        return f"use {self.uses} since {self.since[:10]}"


@dataclass(frozen=True)
class UseLog:
    """The uses of one test set in a registry."""

    url: str
    """Folder or URL of the registry."""
    ids: Sequence[str]
    """Ids of all documents of the set, also of those that a model has seen and is not measured on."""
    texts: Sequence[str] = ()
    """Digests of their texts, by which documents are the same in two sets; without them, the ids."""

    @property
    def digest(self) -> str:
        """Digest of the set."""
        return digest_ids(self.ids)

    @property
    def place(self) -> str:
        """Folder or URL of the log of this very set."""
        return join(self.url, "test_sets", self.digest)

    def history(self) -> list[Use]:
        """Return the uses of this very set, the oldest first. Raise InputError if one cannot be read."""
        return NumberedLog(self.place, Use).history()

    def record(
        self,
        challenger: str,
        champion: str,
        *,
        kind: str = CHALLENGE,
        rubric: str = "",
        now: datetime.datetime | None = None,
    ) -> Wear:
        """Count a use for two models, given by their digests, and return the wear of the set.

        The same pair again, such as after a stop or with other limits, shows nothing new and is counted once; a
        challenge after a report is counted as a decision, but not as a further use. Of several uses at once each is
        counted. Raise InputError if an entry of the log cannot be read.
        """
        now = now or datetime.datetime.now(datetime.UTC)
        log = NumberedLog(self.place, Use)
        use = Use(now.isoformat(timespec="seconds"), challenger, champion, kind, rubric)
        documents = sorted(set(self.texts or self.ids))
        with suppress(FileExistsError):  # of an earlier use
            table = pa.table({"document": pa.array(documents, pa.string())})
            create(join(self.url, "test_documents", f"{self.digest}.parquet"), parquet_bytes(table))
        while True:
            number = log.next_number()  # before reading: if the same pair is added in between, `create` fails
            uses = log.history()
            if any((known.models, known.kind) == (use.models, kind) for known in uses):
                break
            with suppress(FileExistsError):  # another process was faster: read again
                log.create(number, use)
        return self._wear(documents, rubric, now)

    def _wear(self, documents: Sequence[str], rubric: str, now: datetime.datetime) -> Wear:
        """Return the wear of these documents, from the uses of all sets that share any with them."""
        every = _histories(self.url)
        place = {document: row for row, document in enumerate(documents)}
        served: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(len(documents), bool))
        first = np.full(len(documents), np.inf)
        for digest, uses in every.items():
            rows = np.arange(len(documents)) if digest == self.digest else self._shared(digest, place)
            for use in uses if len(rows) else ():
                served[use.models][rows] = True
                first[rows] = np.minimum(first[rows], datetime.datetime.fromisoformat(use.when).timestamp())
        counts = np.sum(list(served.values()), axis=0)
        since = datetime.datetime.fromtimestamp(float(np.quantile(first, 0.5, method="lower")), datetime.UTC)
        challenges = {
            (digest, use.models)
            for digest, uses in every.items()
            for use in uses
            if use.kind == CHALLENGE
            and (not use.rubric or not rubric or use.rubric == rubric)
            and (now - datetime.datetime.fromisoformat(use.when)).days < YEAR
        }
        return Wear(
            self.digest,
            len(documents),
            int(np.ceil(counts.mean())),
            since.isoformat(timespec="seconds"),
            max((now - since).total_seconds() / 86_400, 0.0),
            max(len(challenges), 1),
        )

    def _shared(self, digest: str, place: dict[str, int]) -> np.ndarray:
        """Return the rows of the documents that another set has, too. Empty for a set of an earlier release."""
        where = join(self.url, "test_documents", f"{digest}.parquet")
        try:
            table = read_columns(open_parquet(io.BytesIO(read_bytes(where))), ["document"])
        except FileNotFoundError:
            return np.empty(0, np.int64)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"the documents of a test set cannot be read: {error}", where=where) from error
        return np.array([place[name] for name in table["document"].to_pylist() if name in place], np.int64)


def record_report(registry: str, kind: str, models: tuple[str, str], ids: Sequence[str], texts: Sequence[str]) -> None:
    """Count a report on documents, in a registry that exists. `models`: their digests; empty for no second model."""
    if ids and list_names(registry):
        UseLog(registry, ids, texts).record(*models, kind=kind)


def _histories(registry: str, skipped: list[str] | None = None) -> dict[str, list[Use]]:
    folder = join(registry, "test_sets")
    return {digest: NumberedLog(join(folder, digest), Use).history(skipped=skipped) for digest in list_names(folder)}


def decisions(registry: str, skipped: list[str]) -> dict[str, list[Use]]:
    """Return the challenges on all test sets of a registry: digest of a set's ids -> its uses, the oldest first.

    The message of an entry that cannot be read is added to `skipped`.
    """
    found = {
        digest: [use for use in uses if use.kind == CHALLENGE] for digest, uses in _histories(registry, skipped).items()
    }
    return {digest: uses for digest, uses in found.items() if uses}
