"""Promotion by a verdict, or with a reason despite it, on a disk and on a local S3."""

import hashlib
import json
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.registry import CHAMPION, Registry, keep_verdict, promote, promote_with_verdict
from assay.storage import join, list_names, read_bytes


@pytest.fixture(params=["disk", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "registry")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def registered(registry: Registry, folder: Path, *contents: str) -> list[str]:
    names = []
    for content in contents:
        (folder / content).mkdir()
        (folder / content / "weights").write_text(content)
        names.append(registry.register(folder / content, {}).name)
    return names


def verdict_on(registry: Registry, challenger: str, champion: str, said: str) -> bytes:
    against = {"name": champion, "digest": registry.get(champion).digest} if champion else None
    about = {"name": challenger, "digest": registry.get(challenger).digest}
    fields = {"challenger": about, "champion": against, "verdict": said, "sentence": f"It is {said}."}
    verdict = json.dumps(fields).encode()
    keep_verdict(registry.url, verdict)
    return verdict


def test_a_verdict_promotes_the_version_that_it_is_about_and_is_kept(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    one, two, three = registered(registry, tmp_path, "1", "2", "3")
    given_to = {"who": "x", "why": "y"}
    promote_with_verdict(registry, one, verdict=verdict_on(registry, one, "", "promoted"), **given_to)
    passed = verdict_on(registry, two, one, "promoted")

    move = promote_with_verdict(registry, two, verdict=passed, **given_to)

    assert (move.version, move.evidence["said"], move.evidence["sentence"]) == (two, "promoted", "It is promoted.")
    assert read_bytes(join(url, move.evidence["verdict"])) == passed
    with pytest.raises(InputError, match=f"this verdict is about {two}, not about {three}"):
        promote_with_verdict(registry, three, verdict=passed, in_spite="whatever", **given_to)
    with pytest.raises(InputError, match=f"{two} is champion now, and this was decided against {one}"):
        promote_with_verdict(registry, three, verdict=verdict_on(registry, three, one, "promoted"), **given_to)
    with pytest.raises(InputError, match="this verdict cannot be read: input should be an object"):
        promote_with_verdict(registry, three, verdict=b"[]", **given_to)


@pytest.mark.parametrize("said", ["refused", "undecided", ""])
def test_a_version_that_did_not_pass_needs_a_reason(tmp_path: Path, said: str) -> None:
    registry = Registry(str(tmp_path / "registry"))
    one, two = registered(registry, tmp_path, "1", "2")
    promote(registry, one, against="", who="x", why="first")
    verdict = verdict_on(registry, two, one, said) if said else None

    with pytest.raises(
        InputError, match=f"no verdict has passed {two}: {f'It is {said}' if said else 'no verdict was given'}"
    ):
        promote_with_verdict(registry, two, verdict=verdict, who="x", why="y", in_spite=" ")
    move = promote_with_verdict(registry, two, verdict=verdict, who="x", why="y", in_spite="the old one is broken")

    assert move.evidence["in spite of the gate"] == "the old one is broken"
    assert move.evidence.get("said", "") == said
    assert registry.alias(CHAMPION).version == two


def test_a_promotion_without_a_reason_leaves_no_verdict(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    one, two = registered(registry, tmp_path, "1", "2")
    promote(registry, one, against="", who="x", why="y")
    digests = {name: {"digest": registry.get(of).digest} for name, of in (("challenger", two), ("champion", one))}
    verdict = json.dumps({"verdict": "promoted", "sentence": "It is better.", **digests}).encode()

    with pytest.raises(InputError, match="a name and a reason"):
        promote_with_verdict(registry, two, who="x", why=" ", verdict=verdict)

    assert not (tmp_path / "registry/verdicts").exists()


def test_a_verdict_that_was_written_by_hand_promotes_nothing(url: str, tmp_path: Path) -> None:
    registry, other = Registry(url), Registry(str(tmp_path / "other"))
    one, two = registered(registry, tmp_path, "1", "2")
    promote(registry, one, against="", who="x", why="first")
    refused = verdict_on(registry, two, one, "refused")
    edited = refused.replace(b'"verdict": "refused"', b'"verdict": "promoted"')
    other.register(tmp_path / "1", {})
    other.register(tmp_path / "2", {})
    elsewhere = verdict_on(other, two, one, "promoted")

    for strange in (edited, elsewhere):
        for reason in ("", "a reason does not make it a verdict of this registry"):
            with pytest.raises(InputError, match=r"this registry has no copy of this verdict.*Run `assay challenge`"):
                promote_with_verdict(registry, two, verdict=strange, who="x", why="y", in_spite=reason)
    assert registry.alias(CHAMPION).version == one
    assert list_names(join(url, "verdicts")) == [f"{hashlib.sha256(refused).hexdigest()}.json"]
