"""The gate of counterfactuals: how score and decision change if a document is changed in one respect."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from assay.errors import InputError
from assay.gates.perturbations import PERTURBATIONS, generator_of, stuff_keywords
from assay.gates.verdict import Verdict, decide
from assay.metrics import LEAST_CLUSTERS, Interval, bootstrap_figures
from assay.proportions import Clustered
from assay.storage import only_known_fields

NAME = "counterfactuals"
STUFFED = "keywords_stuffed"
KEYWORDS = 40
"""Number of keywords in the list that is stuffed into documents."""
LETTERS = r"(?u)\b[^\W\d_]{3,}\b"
"""Words of three letters or more, without digits and underscores."""
WHERE = "limits of counterfactuals"


class Reader(Protocol):
    """A model that gives texts an expected label and a decision, such as an `assay.inference.Scorer`."""

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        """Return at least the columns `calibrated` and `keep`, one row per text, in the order of the texts."""


@only_known_fields
@dataclass(frozen=True)
class CounterfactualLimits:
    """How far changes may move a model. It is refused if the whole 95 % interval of a figure is above its limit."""

    # The figures of MiniLM are those of three models, on sample, web pages and FineWeb-Edu: `benchmarks.shortcuts`.
    documents: int = 200
    """Largest number of documents that are changed and scored again, each eight times, chosen by the hash of the id."""
    # A list of keywords must not buy a place in the selection. MiniLM 0.06 to 0.11; TF-IDF + ridge, which is a list of
    # words with weights, 0.49 to 0.61.
    stuffed_kept: float = 0.3
    """Largest allowed share of the documents below the threshold that are kept once keywords are stuffed into them."""
    # Disorder makes no text better. MiniLM -0.07 to 0.00.
    shuffled_rise: float = 0.25
    """Largest allowed rise of the mean expected label, in labels, if the sentences are shuffled."""
    # Extraction leaves such lines. MiniLM 0.04 to 0.18 before the text and 0.00 to 0.10 after it; most on the sample,
    # whose documents are short.
    boilerplate_flips: float = 0.3
    """Largest allowed share of decisions that change if five lines of boilerplate are before or after the text."""
    # The words remain. MiniLM at most 0.03 for a fence, and 0.00 for upper case, since it does not see case.
    format_flips: float = 0.1
    """Largest allowed share of decisions that change by a code fence around the text, or by upper case."""
    # Half a text is often worth less, but for most documents the cut says nothing about quality. MiniLM 0.00 to 0.13.
    half_flips: float = 0.3
    """Largest allowed share of decisions that change if the first or the second half of the text is left out."""

    def __post_init__(self) -> None:
        for name in ("stuffed_kept", "boilerplate_flips", "format_flips", "half_flips"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}", where=WHERE, fix="Give 0 to 1")
        if self.documents < LEAST_CLUSTERS:
            raise InputError(f"documents is {self.documents}", where=WHERE, fix=f"Give at least {LEAST_CLUSTERS}")
        if not 0 <= self.shuffled_rise < math.inf:
            raise InputError(f"shuffled_rise is {self.shuffled_rise:g}", where=WHERE, fix="Give 0 or more labels")

    def of_flips(self) -> dict[str, float]:
        """Return perturbation -> largest allowed share of changed decisions."""
        return {
            "boilerplate_before": self.boilerplate_flips,
            "boilerplate_after": self.boilerplate_flips,
            "code_fence": self.format_flips,
            "upper_case": self.format_flips,
            "first_half": self.half_flips,
            "second_half": self.half_flips,
        }


@dataclass(frozen=True)
class Effect:
    """The effect of one change. Estimands: means over documents like these.

    Method: bootstrap over clusters; for the share of decisions the exact interval on what the clusters are worth.
    """

    perturbation: str
    """Name of the change."""
    documents: int
    """Number of documents that were changed."""
    clusters: int
    """Number of their clusters."""
    shift: Interval
    """Mean change of the expected label, in labels."""
    flips: Interval
    """Share of the decisions that changed; for stuffed keywords, the share of dropped documents that are then kept."""


@dataclass(frozen=True)
class Counterfactuals:
    """The effects of all changes on one model."""

    effects: dict[str, Effect]
    """Perturbation -> effect."""
    keywords: list[str]
    """Keywords that were stuffed into documents."""
    source: str = "the train part"
    """Documents that the keywords come from, in words."""

    def verdict(self, limits: CounterfactualLimits = CounterfactualLimits()) -> Verdict:
        """Refuse the model if the whole interval of an effect is above its limit. Below 50 clusters: no verdict."""
        figures: dict[str, Any] = {
            "effects": [
                {
                    "change": effect.perturbation,
                    "documents": effect.documents,
                    "shift": effect.shift.value,
                    "shift, low": effect.shift.low,
                    "shift, high": effect.shift.high,
                    "decisions turned": effect.flips.value,
                    "turned, low": effect.flips.low,
                    "turned, high": effect.flips.high,
                }
                for effect in self.effects.values()
            ],
            "keywords": ", ".join(self.keywords),
            "keywords from": self.source,
        }
        few = [
            f"{effect.perturbation} ({effect.documents} documents in {effect.clusters} clusters)"
            for effect in self.effects.values()
            if effect.shift.low is None
        ]
        too_little = f"At least {LEAST_CLUSTERS} effective clusters are needed: {', '.join(few)}." if few else ""
        if not self.keywords:
            too_little = " ".join([too_little, f"No word of {self.source} indicates the kept class."]).strip()
        return decide(NAME, self._refusals(limits), figures, too_little=too_little)

    def _refusals(self, limits: CounterfactualLimits) -> list[str]:
        refusals = []
        stuffed, shuffled = self.effects[STUFFED], self.effects["sentences_shuffled"]
        if _above(stuffed.flips, limits.stuffed_kept):
            refusals.append(
                f"A list of keywords fools the model: stuffed with keywords, {stuffed.flips.value:.0%} of the "
                f"documents below the threshold are kept; at most {limits.stuffed_kept:.0%} is allowed."
            )
        if _above(shuffled.shift, limits.shuffled_rise):
            refusals.append(
                f"The model prefers disorder: shuffled sentences raise the expected label by "
                f"{shuffled.shift.value:.2f}; at most {limits.shuffled_rise:g} is allowed."
            )
        for name, limit in limits.of_flips().items():
            if _above(self.effects[name].flips, limit):
                refusals.append(
                    f"{name.replace('_', ' ').capitalize()}: {self.effects[name].flips.value:.0%} of the decisions "
                    f"change; at most {limit:.0%} is allowed."
                )
        return refusals


def keywords(texts: Sequence[str], labels: Sequence[float], threshold: float, count: int = KEYWORDS) -> list[str]:
    """Return the words with the largest weights for the kept class, by a ridge over TF-IDF.

    They are words of three letters or more in at least three documents, without English function words; empty if there
    are none.
    """
    # These are the words that an author who games the classifier would try.
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=3, stop_words="english", token_pattern=LETTERS)
    try:
        words = vectorizer.fit_transform(texts)
    except ValueError:  # no word is in three documents
        return []
    weights = Ridge(1.0).fit(words, np.asarray(labels, float) >= threshold).coef_
    names = vectorizer.get_feature_names_out()
    return [str(names[place]) for place in np.argsort(-weights, kind="stable")[:count] if weights[place] > 0]


def measure_counterfactuals(
    model: Reader,
    part: pd.DataFrame,
    texts: Sequence[str],
    words: Sequence[str],
    threshold: float,
    *,
    documents: int = CounterfactualLimits.documents,
    stuffable: NDArray[np.bool_] | None = None,
    source: str = Counterfactuals.source,
    resamples: int = 1000,
    seed: int = 0,
) -> Counterfactuals:
    """Change at most `documents` of `part` (columns `id`, `label`, `cluster`), and score them again.

    The part must not have trained the model. `texts`: text of each row. `words` are stuffed into the documents whose
    label is below the threshold and which the model does not keep unchanged. `stuffable`, shape (n,), is False for
    documents that the words come from; `source` names them in words. Population: documents like these.
    """
    # Drawn by id, so that the order of the rows does not change which documents are tested.
    draws = [generator_of(identity, seed, "document").random() for identity in part["id"]]
    chosen = np.sort(np.argsort(draws, kind="stable")[:documents])
    table = part.iloc[chosen].reset_index(drop=True)
    originals = [texts[place] for place in chosen]
    before = model.score(originals)
    kept = before["keep"].to_numpy(bool)
    may = np.ones(len(table), bool) if stuffable is None else np.asarray(stuffable, bool)[chosen]
    # A document that gave the words would be moved by its own words; the test is if the list works on others.
    everyone, low = np.arange(len(table)), np.flatnonzero(may & ~kept & (table["label"] < threshold).to_numpy())
    changes = {**{name: (change, everyone) for name, change in PERTURBATIONS.items()}}
    changes[STUFFED] = (stuff_keywords(words), low)

    changed = [change(originals[row], table["id"][row], seed) for change, rows in changes.values() for row in rows]
    after = model.score(changed)
    effects, start = {}, 0
    for name, (_, rows) in changes.items():
        here = after.iloc[start : start + len(rows)]
        start += len(rows)
        shift = here["calibrated"].to_numpy(float) - before["calibrated"].to_numpy(float)[rows]
        turned = here["keep"].to_numpy(bool) != kept[rows]
        effects[name] = _effect(name, table["cluster"].to_numpy()[rows], shift, turned, resamples, seed)
    return Counterfactuals(effects, list(words), source)


def _effect(
    name: str,
    clusters: NDArray[np.int64],
    shift: NDArray[np.float64],
    turned: NDArray[np.bool_],
    resamples: int,
    seed: int,
) -> Effect:
    if not len(clusters):
        nothing = Interval(None, None, None)
        return Effect(name, 0, 0, nothing, nothing)

    def figures(weight: NDArray[np.float64]) -> Mapping[str, float]:
        return {"shift": float(weight @ shift / weight.sum()), "flips": float(weight @ turned / weight.sum())}

    found = bootstrap_figures(figures, clusters, resamples=resamples, seed=seed)
    flips = found["flips"]
    if flips.low is not None:
        # Exact: where every or no decision changes, the bootstrap's interval has no width.
        low, high = Clustered.of(turned, clusters).interval()
        flips = replace(flips, low=float(low), high=float(high))
    return Effect(name, len(clusters), len(np.unique(clusters)), found["shift"], flips)


def _above(interval: Interval, limit: float) -> bool:
    return interval.low is not None and interval.low > limit
