"""The wear of a test set: the number of decisions that it has served, and its age.

A model that is chosen by a test set is fitted to it, even without training on it (Dwork et al. 2015, "The reusable
holdout: Preserving validity in adaptive data analysis", Science 349). The speed depends on how much each choice
follows the last one. So the limits are a convention, and the log only counts.

    <registry>/test_sets/<digest>/00000001.json   one use: its time, and the two models
"""

import datetime
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd

from assay.promotion.limits import PromotionLimits
from assay.storage import NumberedLog, join, list_names, only_known_fields

NOMINAL = 0.025
"""Probability that a challenger that is no better passes as better, in one decision by an unused test set."""


def digest_ids(ids: Sequence[str] | pd.Series) -> str:
    """Return the digest of a set of documents by their ids, in any order: 64 hex digits."""
    return hashlib.sha256(json.dumps(sorted(set(ids))).encode()).hexdigest()


@only_known_fields
@dataclass(frozen=True)
class Use:
    """One decision."""

    when: str
    """Time of the decision, ISO 8601, UTC."""
    challenger: str
    """Digest of the model."""
    champion: str
    """Digest of the model; empty if there was no champion."""


@only_known_fields
@dataclass(frozen=True)
class Wear:
    """The uses and the age of a test set."""

    digest: str
    """Digest of the ids of its documents."""
    documents: int
    uses: int
    """Decisions that it has served, this one included."""
    since: str
    """Time of the first decision, ISO 8601, UTC."""
    days: float
    """Days from the first decision to now."""

    def complaint(self, limits: PromotionLimits) -> str:
        """Return a sentence with the reasons for a new test set. Empty if the set is within both limits."""
        reasons = []
        if self.uses > limits.test_uses:
            luck = 1 - (1 - NOMINAL) ** self.uses
            reasons.append(
                f"it has served {self.uses} decisions, and {limits.test_uses} are allowed (of {self.uses} challengers "
                f"that are no better, one or more pass by chance with a probability of up to {luck:.0%}, and more if "
                "each was made knowing the result of the last one)"
            )
        if self.days > limits.test_days:
            reasons.append(f"it has served for {self.days:,.0f} days, and {limits.test_days:,.0f} are allowed")
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
    """Ids of all documents of the set, also of those that a model has seen and is not measured on: leaving some out
    does not make a new set. A set that shares documents with another one is counted separately."""

    @property
    def place(self) -> str:
        """Folder or URL of the log."""
        return join(self.url, "test_sets", digest_ids(self.ids))

    def history(self) -> list[Use]:
        """Return the uses, the oldest first. Raise InputError if one cannot be read."""
        return NumberedLog(self.place, Use).history()

    def record(self, challenger: str, champion: str, *, now: datetime.datetime | None = None) -> Wear:
        """Count a decision between two models, given by their digests, and return the wear of the set.

        The same pair again, such as after a stop or with other limits, shows nothing new and is counted once. Of
        several decisions at once each is counted.
        """
        now = now or datetime.datetime.now(datetime.UTC)
        log, use = NumberedLog(self.place, Use), Use(now.isoformat(timespec="seconds"), challenger, champion)
        while True:
            number = log.next_number()  # before reading: if the same pair is added in between, `create` fails
            uses = log.history()
            if any((known.challenger, known.champion) == (challenger, champion) for known in uses):
                break
            with suppress(FileExistsError):  # another process was faster: read again
                log.create(number, use)
        first = min(known.when for known in uses)
        days = (now - datetime.datetime.fromisoformat(first)).total_seconds() / 86_400
        return Wear(digest_ids(self.ids), len(set(self.ids)), len(uses), first, max(days, 0.0))


def decisions(registry: str, skipped: list[str]) -> dict[str, list[Use]]:
    """Return the uses of all test sets of a registry: digest of a set's ids -> its uses, the oldest first.

    The message of an entry that cannot be read is added to `skipped`.
    """
    folder = join(registry, "test_sets")
    return {digest: NumberedLog(join(folder, digest), Use).history(skipped=skipped) for digest in list_names(folder)}
