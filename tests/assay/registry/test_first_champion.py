"""The first champion of a registry: a version that a gate refuses is not promoted without a reason."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.gates import Verdict, refusals
from assay.registry import Registry, promote_first

REFUSED = refusals([Verdict("counterfactuals", False, ["A list of keywords fools it."])])


def registered(registry: Registry, folder: Path, content: str) -> str:
    folder.mkdir()
    (folder / "weights").write_text(content)
    return registry.register(folder, {}).name


def test_a_refused_version_is_registered_and_not_promoted(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    version = registered(registry, tmp_path / "a", "fooled")

    promotion = promote_first(registry, version, REFUSED, who="test")

    assert promotion.champion == ""
    assert "there is no champion" in promotion.sentence
    assert "A list of keywords fools it." in promotion.sentence
    assert registry.alias("champion") is None
    assert registry.get(version).name == version
    with pytest.raises(InputError, match=f"None was promoted.*{version}"):
        registry.get("champion")


def test_with_a_reason_it_is_promoted_and_the_log_keeps_the_reason(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    version = registered(registry, tmp_path / "a", "fooled")

    assert promote_first(registry, version, REFUSED, who="test", in_spite="  \n").champion == ""
    assert promote_first(registry, version, REFUSED, who="test", in_spite="for a demonstration").champion == version

    move = registry.alias("champion")
    assert move is not None
    assert "for a demonstration" in move.why
    assert "A list of keywords fools it." in move.why


def test_only_the_first_version_that_passes_is_promoted_without_a_command(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    refused, passed, later = (registered(registry, tmp_path / name, name) for name in ("a", "b", "c"))

    assert promote_first(registry, refused, REFUSED, who="test").champion == ""
    assert promote_first(registry, passed, [], who="test").champion == passed
    assert promote_first(registry, later, [], who="test").champion == passed
    stays = promote_first(registry, refused, REFUSED, who="test")
    assert stays.champion == passed
    assert "not promoted" in stays.sentence
    assert promote_first(registry, refused, REFUSED, who="test", in_spite="why not").champion == passed
    assert len(registry.history("champion")) == 1
