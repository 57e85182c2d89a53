"""What a model says of a document once it is changed in one respect that should not matter, or should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

NAME = "counterfactuals"
STUFFED = "keywords_stuffed"
KEYWORDS = 40
"""Words of the list that is stuffed."""
LETTERS = r"(?u)\b[^\W\d_]{3,}\b"


class Reader(Protocol):
    """Whatever gives texts an expected label and a decision; `assay.inference.Scorer` with a calibrated model does."""

    def score(self, texts: Sequence[str]) -> pd.DataFrame:
        """At least the columns `calibrated` and `keep`, one row a text, in their order."""


@dataclass(frozen=True)
class CounterfactualLimits:
    """How far a model may be moved; it is refused where a figure's whole 95 % interval lies above its limit.

    What three MiniLM (sample, web pages, FineWeb-Edu) show stands with each; `benchmarks.shortcuts` measures it.
    """

    documents: int = 200
    """At most so many are changed and scored again, chosen by the hash of their ids; each costs eight scorings."""
    stuffed_kept: float = 0.3
    """Share of the documents below the threshold that keywords stuffed into every eighth place get kept: a keyword
    list must not buy a place in the selection. MiniLM 0.06 to 0.11; TF-IDF + ridge, a list of words with
    weights, 0.49 to 0.61."""
    shuffled_rise: float = 0.25
    """Labels by which shuffling the sentences raises the mean: disorder makes no text better. MiniLM -0.07
    to 0.00."""
    boilerplate_flips: float = 0.3
    """Share of the decisions that five lines of cookies and navigation turn, before or after the text: extraction
    leaves such lines. MiniLM 0.04 to 0.18 before and 0.00 to 0.10 after; most on the sample, whose
    documents are short."""
    format_flips: float = 0.1
    """Share that a code fence around the text, or upper case, turns: the words remain. MiniLM at most 0.03 and 0.00,
    since it does not see case."""
    half_flips: float = 0.3
    """Share that leaving out the first or the second half turns: half a text is often worth less, but the cut says
    nothing of most. MiniLM 0.00 to 0.13."""

    def __post_init__(self) -> None:
        for name in ("stuffed_kept", "boilerplate_flips", "format_flips", "half_flips"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}", where="limits of counterfactuals", fix="0 to 1")
        if self.documents < LEAST_CLUSTERS or self.shuffled_rise < 0:
            raise InputError(
                f"{self.documents} documents, shuffled_rise {self.shuffled_rise:g}",
                where="limits of counterfactuals",
                fix=f"Give at least {LEAST_CLUSTERS} documents, and 0 or more labels",
            )

    def of_flips(self) -> dict[str, float]:
        """Perturbation -> share of decisions that it may turn."""
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
    """What one change did. Estimands: means over documents like these; method: percentile bootstrap over clusters."""

    perturbation: str
    documents: int
    clusters: int
    shift: Interval
    """Mean change of the expected label, in labels."""
    flips: Interval
    """Share of the decisions that turned; of documents stuffed with keywords, which were not kept, those that are."""


@dataclass(frozen=True)
class Counterfactuals:
    """What every change did to one model."""

    effects: dict[str, Effect]
    keywords: list[str]
    source: str = "the train part"
    """Which documents gave the keywords."""

    def verdict(self, limits: CounterfactualLimits = CounterfactualLimits()) -> Verdict:
        """Refused where an effect lies above its limit with its whole interval; none without 50 clusters."""
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
            if effect.clusters < LEAST_CLUSTERS
        ]
        too_little = f"At least {LEAST_CLUSTERS} clusters are needed: {', '.join(few)}." if few else ""
        if not self.keywords:
            too_little = " ".join([too_little, f"No words of {self.source} tell of the kept class."]).strip()
        return decide(NAME, self._refusals(limits), figures, too_little=too_little)

    def _refusals(self, limits: CounterfactualLimits) -> list[str]:
        said = []
        stuffed, shuffled = self.effects[STUFFED], self.effects["sentences_shuffled"]
        if _above(stuffed.flips, limits.stuffed_kept):
            said.append(
                f"A list of keywords fools it: stuffed with them, {stuffed.flips.value:.0%} of the documents below the "
                f"threshold are kept; at most {limits.stuffed_kept:.0%} may be."
            )
        if _above(shuffled.shift, limits.shuffled_rise):
            said.append(
                f"It likes disorder: shuffling the sentences raises the expected label by {shuffled.shift.value:.2f}; "
                f"at most {limits.shuffled_rise:g} is allowed."
            )
        for name, limit in limits.of_flips().items():
            if _above(self.effects[name].flips, limit):
                said.append(
                    f"{name.replace('_', ' ')} turns {self.effects[name].flips.value:.0%} of its decisions; "
                    f"at most {limit:.0%} may turn."
                )
        return said


def keywords(texts: Sequence[str], labels: Sequence[float], threshold: float, count: int = KEYWORDS) -> list[str]:
    """The words that a ridge over TF-IDF weighs most for the kept class: what whoever games a classifier would try.

    Words of three letters or more in at least three documents, without English function words.
    """
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
    """Change and score again at most `documents` of `part` (`id`, `label`, `cluster`), whose texts are given.

    The part must be one that did not train the model. `words` are stuffed into those whose label is below the
    threshold and that are not kept as they are. Population: documents like these. Where some of the part gave the
    words, `stuffable` is false for them, shape (n,): the question is whether a list travels. `source`: who gave them.
    """
    draws = [generator_of(identity, seed, "document").random() for identity in part["id"]]
    chosen = np.sort(np.argsort(draws, kind="stable")[:documents])
    table = part.iloc[chosen].reset_index(drop=True)
    originals = [texts[place] for place in chosen]
    before = model.score(originals)
    kept = before["keep"].to_numpy(bool)
    may = np.ones(len(table), bool) if stuffable is None else np.asarray(stuffable, bool)[chosen]
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
    return Effect(name, len(clusters), len(np.unique(clusters)), found["shift"], found["flips"])


def _above(interval: Interval, limit: float) -> bool:
    return interval.low is not None and interval.low > limit
