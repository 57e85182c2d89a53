"""The registry with real processes, on a disk and on a local S3."""

import hashlib
import json
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from racing import CONTEXT, run_at_once

from assay.errors import InputError
from assay.registry import Registry
from assay.storage import create, digest_json, list_names, read_bytes, upload_folder, write_bytes


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


def test_a_file_that_was_added_later_is_noticed_and_named(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    name = registry.register(model_folder(tmp_path / "a"), {}).name
    write_bytes(f"{url}/versions/{name}/model/tokenizer_config.json", b"{}")

    with pytest.raises(InputError, match=r"tokenizer_config\.json was not registered"), registry.open(name):
        pass
    with pytest.raises(InputError, match="was not registered"):
        registry.fetch(name, tmp_path / "out")


@pytest.mark.parametrize("hidden", ["the list", "the list and the digest", "the list, the digest and the name"])
def test_an_edited_record_hides_no_change(url: str, tmp_path: Path, hidden: str) -> None:
    registry = Registry(url)
    name = registry.register(model_folder(tmp_path / "a"), {}).name
    where = f"{url}/versions/{name}/version.json"
    write_bytes(f"{url}/versions/{name}/model/sub/weights", b"Weights")
    changed = digest_json(
        files := {
            "config.json": hashlib.sha256(b"{}").hexdigest(),
            "sub/weights": hashlib.sha256(b"Weights").hexdigest(),
        }
    )
    fields = json.loads(read_bytes(where)) | {"files": files}
    fields |= {"digest": changed} if "digest" in hidden else {}
    fields |= {"name": changed[:12]} if "name" in hidden else {}
    write_bytes(where, json.dumps(fields).encode())

    with pytest.raises(InputError, match="is not what was written"), registry.open(name):
        pass
    with pytest.raises(InputError, match="is not what was written"):
        registry.fetch(name, tmp_path / "out")


def test_no_record_and_no_alias_leads_out_of_the_registry(url: str, tmp_path: Path) -> None:
    registry = Registry(url)
    name = registry.register(model_folder(tmp_path / "a"), {}).name
    where = f"{url}/versions/{name}/version.json"
    fields = json.loads(read_bytes(where))
    write_bytes(f"{url}/version.json", json.dumps(fields).encode())  # what `versions/../version.json` is

    for strange in ("../..", "..", ".", "", f"../versions/{name}", "/etc"):
        with pytest.raises(InputError, match="no version"):
            registry.get(strange)
        with pytest.raises(InputError, match="is no alias"):
            registry.alias(strange)
    registry.ensure_alias("champion", name, who="x", why="y")
    move = f"{url}/aliases/champion/00000001.json"
    write_bytes(move, read_bytes(move).replace(name.encode(), b"../"))
    with pytest.raises(InputError, match=r"'\.\./' is no version"):
        registry.get("champion")
    write_bytes(where, json.dumps(fields | {"name": "../.."}).encode())
    with pytest.raises(InputError, match=r"it is about \.\./\.\."), registry.open(name):
        pass
    write_bytes(f"{url}/versions/of somebody else/version.json", b"{}")
    assert registry.versions(skipped := []) == []
    assert len(skipped) == 1


def test_an_alias_of_a_version_that_is_gone_is_named(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    name = registry.register(model_folder(tmp_path / "a"), {}).name
    registry.ensure_alias("champion", name, who="x", why="y")
    (tmp_path / "registry/versions" / name / "version.json").unlink()

    with pytest.raises(InputError, match=f"the record of version {name} is missing"):
        registry.get("champion")


def test_linked_weights_are_registered_as_the_file_that_they_name(url: str, tmp_path: Path) -> None:
    # The cache of the Hugging Face hub keeps the files of a model as links.
    folder = model_folder(tmp_path / "a")
    (folder / "sub" / "weights").rename(tmp_path / "blob")
    (folder / "sub" / "weights").symlink_to(tmp_path / "blob")
    registry = Registry(url)

    version = registry.register(folder, {})

    assert set(version.files) == {"config.json", "sub/weights"}
    assert version == registry.register(model_folder(tmp_path / "b"), {})
    with registry.open(version.name) as model:
        assert (model / "sub" / "weights").read_text() == "weights"
    (folder / "more").symlink_to(tmp_path / "b")
    with pytest.raises(InputError, match="this is a link to a folder"):
        registry.register(folder, {})


def test_a_link_in_a_version_is_what_was_registered_or_refused(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    version = registry.register(model_folder(tmp_path / "a"), {})
    weights = tmp_path / "registry/versions" / version.name / "model/sub/weights"
    (tmp_path / "other").write_text("other weights")
    weights.unlink()
    weights.symlink_to(tmp_path / "other")

    with pytest.raises(InputError, match="sub/weights is missing or not what was registered"):
        registry.fetch(version.name, tmp_path / "out")


def test_a_version_of_an_earlier_release_with_linked_weights_is_opened(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"))
    version = registry.register(model_folder(tmp_path / "a"), {})
    where = tmp_path / "registry/versions" / version.name / "version.json"
    fields = json.loads(where.read_text())
    del fields["files"]["sub/weights"]
    where.write_text(json.dumps(fields))

    with registry.open(version.name) as model:
        assert (model / "sub" / "weights").read_text() == "weights"


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
