"""The registry with real processes, on a disk and on a local S3."""

import json
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from racing import CONTEXT, run_at_once

from assay.errors import InputError
from assay.registry import Registry
from assay.storage import create, list_names, read_bytes, upload_folder, write_bytes


@pytest.fixture(params=["disk", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "registry")
    return f"{request.getfixturevalue('s3')}/{tmp_path.name}"


def model_folder(folder: Path, content: str = "weights") -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "weights").write_text(content)
    return folder


def test_a_version_is_its_content(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    first = registry.register(model_folder(tmp_path / "a"), {"f1": 0.7})

    again = registry.register(model_folder(tmp_path / "b"), {"f1": 0.1})
    other = registry.register(model_folder(tmp_path / "c", "other weights"), {})

    assert again == first
    assert first.record == {"f1": 0.7}
    assert {version.name for version in registry.versions()} == {first.name, other.name}
    assert registry.get(first.name[:6]) == first
    registry.fetch(first.name, tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "weights").read_text() == "weights"


def test_aliases_remember_who_moved_them_and_why(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    one = registry.register(model_folder(tmp_path / "a", "1"), {}).name
    two = registry.register(model_folder(tmp_path / "b", "2"), {}).name
    assert registry.alias("champion") is None

    assert registry.ensure_alias("champion", one, who="ci", why="first").version == one
    assert registry.ensure_alias("champion", two, who="ci", why="first").version == one
    after = registry.alias("champion")
    registry.move_alias("champion", two, who="anna", why="better", evidence={"gain": 0.02}, after=after)

    assert registry.get("champion").name == two
    moves = registry.history("champion")
    assert [(move.number, move.version, move.who, move.why) for move in moves] == [
        (1, one, "ci", "first"),
        (2, two, "anna", "better"),
    ]
    assert moves[1].evidence == {"gain": 0.02}


def test_unknown_names_say_what_there_is(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    with pytest.raises(InputError, match="registry is empty"):
        registry.get("champion")
    name = registry.register(model_folder(tmp_path / "a"), {}).name
    with pytest.raises(InputError, match=name):
        registry.get("nothing")
    with pytest.raises(InputError, match="is no alias"):
        registry.ensure_alias("No Alias!", name, who="x", why="y")
    with pytest.raises(InputError, match="no version"):
        registry.ensure_alias("champion", "123456", who="x", why="y")
    with pytest.raises(InputError, match="no model"):
        registry.register(tmp_path / "nowhere", {})


def test_a_damaged_file_is_noticed_and_named(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    name = registry.register(model_folder(tmp_path / "a"), {}).name
    write_bytes(f"{url}/versions/{name}/model/sub/weights", b"Weights")

    with pytest.raises(InputError, match="sub/weights"), registry.open(name):
        pass
    with pytest.raises(InputError, match="sub/weights"):
        registry.fetch(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_registration_is_invisible_and_can_be_completed(url: str, tmp_path: Path) -> None:
    registry, folder = Registry(url), model_folder(tmp_path / "a")
    from assay.storage import digest_folder

    half = f"{url}/versions/{digest_folder(folder)[:12]}/model/config.json"
    write_bytes(half, b"{}")
    assert registry.versions() == []

    version = registry.register(folder, {})

    with registry.open(version.name) as model:
        assert (model / "sub" / "weights").read_text() == "weights"


def _promote(start: Barrier, url: str, version: str, who: str, won: "list") -> None:
    from assay.registry.aliases import AliasLog

    log = AliasLog(f"{url}/aliases/champion")
    seen = log.history()
    start.wait()
    try:
        log.move(version, who=who, why="a race", evidence={}, after=seen[-1] if seen else None)
        won.append(who)
    except InputError as error:
        assert "moved it" in str(error)


def _register(start: Barrier, url: str, folder: Path, names: "list") -> None:
    start.wait()
    names.append(Registry(url).register(folder, {}).name)


def test_of_eight_who_promote_at_once_exactly_one_wins(url: str, tmp_path: Path) -> None:
    version = Registry(url).register(model_folder(tmp_path / "a"), {}).name
    with CONTEXT.Manager() as manager:
        won = manager.list()
        run_at_once(_promote, *[(url, version, f"p{n}", won) for n in range(8)])
        assert len(won) == 1
        assert [move.who for move in Registry(url).history("champion")] == list(won)


def test_four_who_register_the_same_model_at_once_agree(url: str, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "a")
    with CONTEXT.Manager() as manager:
        names = manager.list()
        run_at_once(_register, *[(url, folder, names)] * 4)
        assert len(set(names)) == 1
    assert len(Registry(url).versions()) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["champion", "previous"]), st.integers(0, 2)), max_size=12))
def test_an_alias_is_its_last_move(tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int]]) -> None:
    folder = tmp_path_factory.mktemp("property")
    registry = Registry(str(folder / "registry"))
    names = [registry.register(model_folder(folder / f"m{n}", str(n)), {}).name for n in range(3)]

    for alias, version in moves:
        registry.move_alias(alias, names[version], who="x", why="y", evidence={}, after=registry.alias(alias))

    for alias in ("champion", "previous"):
        expected = [names[version] for name, version in moves if name == alias]
        assert [move.version for move in registry.history(alias)] == expected
        current = registry.alias(alias)
        assert (current.version if current else None) == (expected[-1] if expected else None)


def test_create_refuses_a_second_writer(url: str) -> None:
    create(f"{url}/thing", b"first")
    with pytest.raises(FileExistsError):
        create(f"{url}/thing", b"second")
    assert read_bytes(f"{url}/thing") == b"first"
    assert list_names(url) == ["thing"]


def test_a_folder_is_copied_whole(url: str, tmp_path: Path) -> None:
    from assay.storage import download_folder

    folder = model_folder(tmp_path / "a")
    upload_folder(folder, f"{url}/copy", last="config.json")
    download_folder(f"{url}/copy", tmp_path / "back")
    assert (tmp_path / "back" / "sub" / "weights").read_text() == "weights"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"name": "a"}', "created without a time zone", "record that is no table"]
)
def test_a_damaged_record_costs_itself_alone(content: str, tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    good, bad = (registry.register(model_folder(tmp_path / name, name), {}).name for name in "ab")
    file = tmp_path / "registry/versions" / bad / "version.json"
    fields = json.loads(file.read_text())
    if content.startswith("created"):
        content = json.dumps(fields | {"created": "2026-01-31"})
    if content.startswith("record"):
        content = json.dumps(fields | {"record": ["x"]})
    file.write_text(content)

    with pytest.raises(InputError, match=rf"record cannot be read.*{bad}/version\.json"):
        registry.versions()
    skipped: list[str] = []
    assert [version.name for version in registry.versions(skipped)] == [good]
    assert len(skipped) == 1 and bad in skipped[0]
