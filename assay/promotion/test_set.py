"""How often a test set has decided, and since when: each decision tells a little of it, until it is no test any more.

Whoever chooses models by a test set fits them to it, also without ever training on it (Dwork et al. 2015, "The
reusable holdout: Preserving validity in adaptive data analysis", Science 349). How fast depends on how much each
choice follows the last one; the limits are a convention, and the log only counts.

    <url>/test_sets/<digest>/00000001.json   one use each: when, and of which two models
"""

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from assay.errors import InputError
from assay.promotion.limits import PromotionLimits
from assay.storage import create, join, list_names, read_bytes

NOMINAL = 0.025
"""Chance, in one decision by an untouched test set, that a challenger that is no better passes as better."""


def digest_ids(ids: Sequence[str] | pd.Series) -> str:
    """Of a set of documents, in any order: 64 hex digits."""
    return hashlib.sha256(json.dumps(sorted(set(ids))).encode()).hexdigest()


@dataclass(frozen=True)
class Use:
    """One decision."""

    when: str
    """ISO 8601, UTC."""
    challenger: str
    """Digest of the model."""
    champion: str
    """Digest of the model; empty where there was none."""


@dataclass(frozen=True)
class Wear:
    """How worn a test set is."""

    digest: str
    """Of the ids of its documents."""
    documents: int
    uses: int
    """Decisions that it served, this one included."""
    since: str
    """Of the first of them; ISO 8601, UTC."""
    days: float
    """From the first to now."""

    def complaint(self, limits: PromotionLimits) -> str:
        """Why a new one is wanted, in a sentence; empty where it is not."""
        reasons = []
        if self.uses > limits.test_uses:
            luck = 1 - (1 - NOMINAL) ** self.uses
            reasons.append(
                f"it has served {self.uses} decisions, and {limits.test_uses} are allowed (among so many challengers "
                f"that are no better, one passes by luck with a chance of up to {luck:.0%}, and more where each was "
                "made knowing how the last one did)"
            )
        if self.days > limits.test_days:
            reasons.append(f"it has served for {self.days:,.0f} days, and {limits.test_days:,.0f} are allowed")
        return f"This test set is worn out: {' and '.join(reasons)}. Label a new one." if reasons else ""

    def in_words(self) -> str:
        """`use 3 since 2026-01-31`."""
        return f"use {self.uses} since {self.since[:10]}"


@dataclass(frozen=True)
class UseLog:
    """The uses of one test set, a create-only numbered log below an fsspec URL."""

    url: str
    """Of the registry."""
    ids: Sequence[str]
    """Of all documents of the set, also those that a model has seen and is not measured on: who leaves some out does
    not make it a new one. A set that shares documents with another counts for itself."""

    @property
    def place(self) -> str:
        """Where the log lies."""
        return join(self.url, "test_sets", digest_ids(self.ids))

    def history(self) -> list[Use]:
        """The oldest first. Raises InputError where an entry cannot be read."""
        return list(_uses(self.place).values())

    def record(self, challenger: str, champion: str, *, now: datetime.datetime | None = None) -> Wear:
        """Count a decision between two models, by their digests, and say how worn the set is.

        The same two again, such as after a stop or with other limits, tell nothing new, and are counted once. Of
        several at once each is counted.
        """
        now = now or datetime.datetime.now(datetime.UTC)
        use = Use(now.isoformat(timespec="seconds"), challenger, champion)
        while True:
            numbered = _uses(self.place)
            uses = list(numbered.values())
            if any((known.challenger, known.champion) == (challenger, champion) for known in uses):
                break
            number = max(numbered, default=0) + 1  # not their count: where one was lost, that number is taken
            try:
                create(join(self.place, f"{number:08d}.json"), json.dumps(asdict(use), indent=2).encode())
            except FileExistsError:  # somebody else was faster with this number
                continue
        first = min(known.when for known in uses)
        days = (now - datetime.datetime.fromisoformat(first)).total_seconds() / 86_400
        return Wear(digest_ids(self.ids), len(set(self.ids)), len(uses), first, max(days, 0.0))


def decisions(registry: str, skipped: list[str]) -> dict[str, list[Use]]:
    """Of all test sets of a registry: digest of its ids -> its uses, the oldest first. The message of an entry that
    cannot be read is added to `skipped`."""
    sets = list_names(join(registry, "test_sets"))
    return {digest: list(_uses(join(registry, "test_sets", digest), skipped).values()) for digest in sets}


def _uses(place: str, skipped: list[str] | None = None) -> dict[int, Use]:
    """By their numbers, rising. Raises InputError where an entry cannot be read, unless `skipped` takes its message."""
    uses = {}
    for name in list_names(place):
        where = join(place, name)
        try:
            fields = json.loads(read_bytes(where))
            if datetime.datetime.fromisoformat(fields["when"]).tzinfo is None:
                raise ValueError("its time has no time zone")
            uses[int(name.removesuffix(".json"))] = Use(**fields)
        except (ValueError, TypeError, KeyError) as error:
            told = InputError(f"this entry cannot be read: {error!r}", where=where, fix="Restore it")
            if skipped is None:
                raise told from error
            skipped.append(str(told))
    return dict(sorted(uses.items()))


def wear_from_json(fields: dict[str, Any] | None) -> Wear | None:
    """The inverse of `asdict`; raises TypeError where it is no wear."""
    return Wear(**fields) if fields else None
