"""Rules of the history of versions, the same for both targets."""

from hypothesis import given
from hypothesis import strategies as st

from assay.deployment.rollout import seen
from assay.deployment.target import History

NAMES = st.sampled_from(["a", "b", "c", "d"])
HISTORIES = st.lists(NAMES, max_size=12).map(
    lambda names: History(tuple(name for name, last in zip(names, ["", *names], strict=False) if name != last)[-10:])
)


@given(HISTORIES, NAMES)
def test_back_undoes_forward_and_is_not_repeated(history: History, version: str) -> None:
    after = history.forward(version)
    assert after.wanted == version
    assert len(after.versions) <= History.KEPT
    if version != history.wanted:
        assert after.previous == history.wanted
        assert after.back().wanted == history.wanted
        assert (after.back().left, after.back().previous) == (version, "")


@given(HISTORIES, NAMES)
def test_a_version_that_never_served_is_not_restored(history: History, version: str) -> None:
    after = history.forward("x").forward(version, proved=False)
    assert "x" not in after.versions
    assert after.wanted == version
    assert all(one != other for one, other in zip(after.versions, after.versions[1:], strict=False))


@given(HISTORIES, st.sampled_from(["", "a", "b", "c", "d", "e"]))
def test_the_version_of_the_pods_decides(history: History, meant: str) -> None:
    found = seen(history, meant)
    assert found.wanted == meant
    assert seen(found, meant) == found
    assert (found == history) is (meant == history.wanted)
