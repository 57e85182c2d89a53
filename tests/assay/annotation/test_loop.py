"""Rounds of labelling with an oracle: the budget holds, the curve ends the loop, and no measured document trains."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from panel import Ask, columns_judge, label_loop

from assay.annotation.draw import DrawConfig
from assay.annotation.loop import (
    LoopConfig,
    begin,
    measure_and_choose,
    take_answers,
    to_ask,
)
from assay.annotation.raters import combine
from assay.annotation.state import LoopState, loop_blocks
from assay.errors import InputError
from assay.report import Report, Section, render_html

CONFIG = LoopConfig(measured=100, first=50, rounds=4, calls=2_000, least_gain=-1.0, draw=DrawConfig(new=0))


def corpus(count: int = 900, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    quality = np.clip(rng.exponential(1.2, count), 0, 5)
    return pd.DataFrame(
        {
            "id": [f"d{number:05}" for number in range(count)],
            "text": [f"text {number} {'good ' * int(10 * value)}" for number, value in enumerate(quality)],
            "quality": quality,
            "one": np.clip(np.round(quality + rng.normal(0, 0.3, count)), 0, 5),
            "two": np.clip(np.round(quality + rng.normal(0, 0.3, count)), 0, 5),
            "cluster": np.arange(count) // 2,
        }
    )


def learner(documents: pd.DataFrame, seen: list[pd.DataFrame], *, better: bool = True) -> Callable[..., object]:
    """Return a fit whose scores have an error that falls with the labels, or does not."""
    quality = documents.set_index("text")["quality"]

    def fit(given: pd.DataFrame) -> Callable[[Sequence[str]], pd.DataFrame]:
        seen.append(given)
        noise = 15 / np.sqrt(len(given)) if better else 0.3
        rng = np.random.default_rng(len(given) if better else 0)
        error = dict(zip(quality.index, rng.normal(0, noise, len(quality)), strict=True))
        return lambda texts: pd.DataFrame({"score": [quality[text] + error[text] for text in texts]})

    return fit


def counted(ask: Ask, asked: list[str]) -> Ask:
    def count(given: pd.DataFrame) -> pd.DataFrame:
        asked.extend(given["id"])
        return ask(given)

    return count


def test_rounds_grow_and_no_measured_document_trains() -> None:
    documents, seen, asked = corpus(), [], []
    ask = counted(columns_judge(documents, ["one", "two"]), asked)
    config = replace(CONFIG, answers_each=2)

    state = label_loop(documents, ask, learner(documents, seen), 0, 5, config)

    assert [point.documents for point in state.points] == [50, 100, 200, 400]
    assert state.stopped == "Stopped: 4 rounds are done."
    assert len(asked) == len(set(asked)) == 500, "no document is asked about twice"
    measured = set(state.chosen.loc[state.chosen["part"] == "measured", "id"])
    clusters = documents.set_index("id")["cluster"]
    for given in seen:
        assert not set(clusters[given["id"]]) & set(clusters[list(measured)])
    assert state.points[-1].spearman.value > state.points[0].spearman.value
    assert state.points[-1].spearman.low is not None
    assert (seen[-1]["weight"] > 0).all()


def test_the_budget_is_never_exceeded() -> None:
    documents, asked = corpus(), []
    ask = counted(columns_judge(documents, ["one"]), asked)

    state = label_loop(documents, ask, learner(documents, []), 0, 5, replace(CONFIG, calls=280))

    assert len(asked) == 280
    assert state.stopped == "Stopped: 280 of 280 calls are spent."
    assert [point.documents for point in state.points] == [50, 100, 180]


def test_a_flat_curve_ends_the_loop() -> None:
    documents = corpus()
    ask = columns_judge(documents, ["one"])

    state = label_loop(
        documents, ask, learner(documents, [], better=False), 0, 5, replace(CONFIG, rounds=9, least_gain=0.01)
    )

    assert len(state.points) == 3
    assert "twice the labels would give +0.000" in state.stopped


def test_documents_run_out() -> None:
    documents = corpus(220).drop(columns="cluster")
    ask = columns_judge(documents, ["one"])

    state = label_loop(documents, ask, learner(documents, []), 0, 5, replace(CONFIG, rounds=9))

    assert state.stopped == "Stopped: no document is left."
    assert len(state.chosen) > 200


def test_failed_answers_cost_calls_and_label_nothing() -> None:
    documents = corpus()
    documents.loc[documents.index % 3 == 0, "one"] = np.nan
    ask = columns_judge(documents, ["one"])

    state = label_loop(documents, ask, learner(documents, []), 0, 5, replace(CONFIG, rounds=2))

    labels = combine(state.answers, 0, 5)
    assert len(state.answers) == len(state.chosen) == 200
    assert state.points[-1].documents < 100
    assert not labels["id"].isin(documents.loc[documents["one"].isna(), "id"]).any()


def test_steps_with_the_state_on_disk_are_those_of_the_loop(tmp_path: Path) -> None:
    documents = corpus()
    ask = columns_judge(documents, ["one"])
    whole = label_loop(documents, ask, learner(documents, []), 0, 5, CONFIG)

    state = begin(documents, CONFIG)
    for number in range(20):
        state.write(tmp_path / f"{number}-a")
        state = LoopState.read(tmp_path / f"{number}-a")
        if state.stopped:
            break
        asked = to_ask(state, documents)
        take_answers(state, asked, ask(asked)).write(tmp_path / f"{number}-b")
        state = measure_and_choose(
            LoopState.read(tmp_path / f"{number}-b"), documents, learner(documents, []), 0, 5, CONFIG
        )

    assert state.stopped == whole.stopped
    assert [point.spearman for point in state.points] == [point.spearman for point in whole.points]
    pd.testing.assert_frame_equal(state.chosen, whole.chosen)
    labels = combine(state.answers, 0, 5)
    assert state.labelled(labels, "measured")["inclusion"].between(0, 1).all()
    assert "inclusion" not in state.labelled(labels, "train")
    assert "Each point is one round" in render_html(Report("r", sections=[Section("s", loop_blocks(state))]))


def test_what_cannot_run_is_refused() -> None:
    documents = corpus(120)
    state = begin(corpus(), CONFIG)
    asked = to_ask(state, corpus())

    with pytest.raises(InputError, match="the first round takes 150 calls"):
        replace(CONFIG, calls=149)
    with pytest.raises(InputError, match="120 documents for 100"):
        begin(documents, CONFIG)
    with pytest.raises(InputError, match="no answer, document"):
        take_answers(state, asked, columns_judge(corpus(), ["one"])(asked[1:]))
    with pytest.raises(InputError, match="no labelling in this folder"):
        LoopState.read(Path("/nonexistent"))
    failed = columns_judge(corpus().assign(one=np.nan), ["one"])
    with pytest.raises(InputError, match="no valid answer"):
        measure_and_choose(take_answers(state, asked, failed(asked)), corpus(), learner(corpus(), []), 0, 5, CONFIG)
