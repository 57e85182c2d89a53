"""Properties of a mixture, and a brute force that makes the same mixture of a small corpus."""

import itertools
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from made_mixtures import all_passes, corpus_of, job_of, mixed, references, scored

from assay.errors import InputError
from assay.mixture.begin import begin
from assay.mixture.cells import InfeasibleError
from assay.mixture.draw import hashed
from assay.mixture.request import MixtureRequest
from assay.selection import SelectionRequest
from assay.selection.choose import choose

SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DRAWN = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.5, 1.5000001, 3.0]) | st.floats(-9, 14),
        st.integers(1, 50),
        st.sampled_from(["code", "law", "science"]),
    ),
    min_size=1,
    max_size=40,
)


def rows_of(drawn: list[tuple[float, int, str]]) -> list[dict]:
    return [
        {"id": f"d{n:03d}", "score": score, "tokens": tokens, "topic": topic}
        for n, (score, tokens, topic) in enumerate(drawn)
    ]


REQUESTS = st.builds(
    MixtureRequest,
    token_budget=st.integers(1, 3_000),
    bins=st.integers(1, 8),
    bins_of=st.sampled_from(["topic", "corpus"]),
    least_bin=st.integers(1, 5),
    topic=st.sampled_from(["", "topic"]),
    shape=st.sampled_from(["power", "step"]),
    exponent=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    discard=st.sampled_from([0.0, 0.25, 0.4]),
    max_repeat=st.integers(1, 7),
    seed=st.integers(0, 3),
)


@SLOW
@given(DRAWN, REQUESTS, st.integers(1, 4), st.integers(0, 99))
def test_a_mixture_meets_its_budget_whatever_the_order_and_the_parts(
    tmp_path: Path, drawn: list[tuple[float, int, str]], request: MixtureRequest, shares: int, seed: int
) -> None:
    rows = rows_of(drawn)
    try:
        found, state, _ = mixed(tmp_path, rows, request)
    except InfeasibleError:
        return
    recipe = state.recipe
    assert recipe is not None

    # To within one document a unit, and the whole tokens of a unit and a topic that are rounded down.
    largest = max(row["tokens"] for row in rows) * (request.max_repeat if request.shape == "step" else 1)
    realised = int((found["tokens"] * found["repeat"]).sum())
    rounding = len(recipe.units) * (largest + request.max_repeat) + len(recipe.aims)
    assert request.budget - rounding <= realised <= request.budget

    # Monotone: in each topic a higher bin has no lower repeat.
    for topic in {cell.topic for cell in recipe.cells}:
        repeats = [cell.repeat for cell in recipe.cells if cell.topic == topic and cell.tokens]
        assert all(low <= high + 1e-9 for low, high in itertools.pairwise(repeats))
    assert found["repeat"].max() <= request.max_repeat if len(found) else True
    if request.shape == "power":  # each document is taken the whole times below or above the repeat of its cell
        repeat = {(cell.topic, cell.bin): cell.repeat for cell in recipe.cells}
        wanted = np.array([repeat[cell] for cell in zip(found["topic"], found["bin"], strict=True)])
        assert (np.abs(found["repeat"] - wanted) < 1).all()

    # Other order, other parts, other processes: the same documents as often.
    random = np.random.default_rng(seed)
    shuffled = [rows[at] for at in random.permutation(len(rows))]
    again, *_ = mixed(
        tmp_path, shuffled, request, rows_per_part=int(random.integers(1, 9)), shares=shares, random=random
    )
    as_set = [dict(zip(each["id"], each["repeat"], strict=True)) for each in (found, again)]
    assert as_set[0] == as_set[1]


@SLOW
@given(DRAWN, REQUESTS)
def test_brute_force_draws_the_same_documents(
    tmp_path: Path, drawn: list[tuple[float, int, str]], request: MixtureRequest
) -> None:
    rows = rows_of(drawn)
    request = replace(request, shape="power")
    try:
        found, state, _ = mixed(tmp_path, rows, request)
    except InfeasibleError:
        return
    assert state.bins is not None
    assert state.recipe is not None
    expected: dict[str, int] = {}
    members = defaultdict(list)
    for row in rows:
        topic = row["topic"] if request.topic else ""
        starts = state.bins.starts(topic)
        members[topic, sum(state.bins.axis.of(np.array([row["score"]]))[0] >= state.bins.edges_of(topic))].append(row)
        assert len(starts) == len(state.bins.edges_of(topic))
    for cell in state.recipe.cells:
        some = sorted(
            members[cell.topic, cell.bin], key=lambda row: hashed(np.array([row["id"]], object), request.seed)[0]
        )
        assert (cell.documents, cell.tokens) == (len(some), sum(row["tokens"] for row in some))
        left = (cell.repeat - int(cell.repeat)) * cell.tokens + 1e-6
        open_ = True
        for row in some:
            open_ = open_ and row["tokens"] <= left
            left -= row["tokens"] if open_ else 0
            expected[row["id"]] = int(cell.repeat) + open_

    assert dict(zip(found["id"], found["repeat"], strict=True)) == {name: n for name, n in expected.items() if n}


@SLOW
@given(DRAWN, st.integers(1, 600))
def test_one_step_without_repeats_is_the_selection_of_the_same_budget(
    tmp_path: Path, drawn: list[tuple[float, int, str]], budget: int
) -> None:
    rows = rows_of(drawn)
    corpus = corpus_of(tmp_path / "corpus", rows)
    scores = scored(tmp_path / "scores", corpus, rows)
    best = min(rows, key=lambda row: (-row["score"], row["id"]))
    assume(best["tokens"] <= budget <= sum(row["tokens"] for row in rows))
    choice = choose(scores, corpus, None, SelectionRequest(token_budget=budget, keep_duplicates=True))  # type: ignore[arg-type]

    request = MixtureRequest(token_budget=budget, shape="step", max_repeat=1, least_bin=1)
    job = job_of(tmp_path / "mixture", corpus, [scores], request)
    found = references(job, all_passes(job))

    assert found["row"].tolist() == choice.rows.tolist()
    assert set(found["repeat"]) == {1}
    assert int(found["tokens"].sum()) == choice.realised


@SLOW
@given(
    DRAWN,
    REQUESTS,
    st.lists(st.tuples(st.sampled_from(["code", "law"]), st.floats(0.05, 0.45), st.sampled_from("sfc")), max_size=2),
)
def test_a_wish_that_cannot_be_filled_is_refused_with_the_nearest_that_can(
    tmp_path: Path, drawn: list[tuple[float, int, str]], request: MixtureRequest, wishes: list[tuple[str, float, str]]
) -> None:
    rows = rows_of(drawn)
    there = {row["topic"] for row in rows}
    named = {topic: (share, kind) for topic, share, kind in wishes if topic in there}
    if len(named) == len(there):  # one topic is left without a wish
        named.popitem()
    given = {kind: tuple(f"{topic}={share}" for topic, (share, of) in named.items() if of == kind) for kind in "sfc"}
    request = replace(request, topic="topic", topic_share=given["s"], topic_floor=given["f"], topic_cap=given["c"])
    corpus = corpus_of(tmp_path / "corpus", rows, topic=[row["topic"] for row in rows])
    scores = scored(tmp_path / "scores", corpus, rows)
    job = job_of(tmp_path / "mixture", corpus, [scores], request)

    try:
        found = references(job, all_passes(job))
    except InfeasibleError as error:
        for name, value in error.nearest.items():
            all_passes(replace(job, request=replace(request, **{name: value})))
        assert "budget" not in error.nearest or error.nearest["token_budget"] < request.budget
        short = replace(job, request=replace(request, allow_short=True))
        all_passes(short)
        return

    # Every wish holds to within the documents and tokens that rounding costs.
    copies = (found["tokens"] * found["repeat"]).groupby(found["topic"]).sum()
    largest = max(row["tokens"] for row in rows) * (request.max_repeat if request.shape == "step" else 1)
    lost = request.bins * (largest + 1) + request.max_repeat
    for topic, (share, kind) in named.items():
        aim, has = share * request.budget, int(copies.get(topic, 0))
        if kind in "sf":
            assert has >= aim - lost
        if kind in "sc":
            assert has <= aim + 1e-6


def test_wishes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    rows = rows_of([(score, 10, topic) for score in range(10) for topic in ("code", "law")])
    given = {"token_budget": 60, "topic": "topic", "least_bin": 1}
    for more, message in (
        ({"topic_share": ("code=0.7", "law=0.7")}, "sum to 1.4"),
        ({"topic_share": ("code=0.3", "law=0.3")}, "the shares of all topics sum to 0.6"),
        ({"topic_cap": ("code=0.3", "law=0.3")}, "the caps leave 0.6 of the budget"),
        ({"topic_share": ("codes=0.3",)}, "no document has the topic 'codes'"),
        ({"topic_floor": ("code=0.3",), "topic_cap": ("code=0.2",)}, "above its cap"),
        ({"topic_share": ("code:0.3",)}, "no TOPIC=SHARE"),
    ):
        with pytest.raises(InputError, match=message):
            mixed(tmp_path, rows, MixtureRequest(**given, **more))  # type: ignore[arg-type]


def test_the_draw_of_a_release_is_that_of_the_next() -> None:
    assert hashed(np.array(["a", "b"], object), 0).round(6).tolist() == [0.486334, 0.465044]


def test_a_budget_is_needed(tmp_path: Path) -> None:
    rows = rows_of([(1.0, 10, "law")])
    corpus = corpus_of(tmp_path / "corpus", rows)
    job = job_of(tmp_path / "m", corpus, [scored(tmp_path / "s", corpus, rows)], MixtureRequest())
    with pytest.raises(InputError, match="without a budget"):
        begin(job)
