"""Made answers of judges whose level, scale and noise are known."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.annotation.loop import Fit, LoopConfig, begin, measure_and_choose, take_answers, to_ask
from assay.annotation.state import LoopState

Ask = Callable[[pd.DataFrame], pd.DataFrame]
"""Documents (`id`, `text`) -> answers (`id`, `judge`, `repeat`, `grade`), one or more rows a document."""

RANDOM = 99.0
"""Noise of a judge that answers at random."""


def ids_of(count: int) -> list[str]:
    return [f"d{number:05}" for number in range(count)]


def panel(
    count: int,
    judges: Mapping[str, tuple[float, float, float]],
    *,
    repeats: Mapping[str, int] | None = None,
    own: float = 0.0,
    seed: int = 0,
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Return the quality of documents, and answers on 0 to 5. `judges`: name -> bias, scale and noise, in grades."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(2.2, 1.2, count)
    tables = []
    for name, (bias, scale, noise) in judges.items():
        error = rng.normal(0, own, count) if own else np.zeros(count)
        for repeat in range((repeats or {}).get(name, 1)):
            grade = np.clip(np.round(bias + scale * truth + error + rng.normal(0, noise, count)), 0, 5)
            if noise == RANDOM:
                grade = rng.integers(0, 6, count).astype(float)
            tables.append(pd.DataFrame({"id": ids_of(count), "judge": name, "repeat": repeat, "grade": grade}))
    return truth, pd.concat(tables, ignore_index=True)


def label_loop(documents: pd.DataFrame, ask: Ask, fit: Fit, low: int, high: int, config: LoopConfig) -> LoopState:
    """Run the rounds in this process until the state has a reason to stop, as the workflow does by its tasks."""
    state = begin(documents, config)
    while not state.stopped:
        asked = to_ask(state, documents)
        state = take_answers(state, asked, ask(asked))
        state = measure_and_choose(state, documents, fit, low, high, config)
    return state


def columns_judge(documents: pd.DataFrame, columns: Sequence[str]) -> Ask:
    """Return a judge that answers from columns of the documents, one judge a column."""
    table = documents.set_index("id")[list(columns)].astype(float)

    def ask(asked: pd.DataFrame) -> pd.DataFrame:
        found = table.loc[asked["id"]]
        parts = [
            pd.DataFrame({"id": found.index, "judge": name, "repeat": 0, "grade": found[name].to_numpy()})
            for name in columns
        ]
        return pd.concat(parts, ignore_index=True)

    return ask
