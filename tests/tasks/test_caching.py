"""Cache versions: a changed line in a room changes exactly the tasks that depend on it."""

import shutil
from pathlib import Path

import pytest

from assay.serving import packed_digest
from tasks.support.caching import CodePolicy, closure, code_version

ROOT = Path(__file__).resolve().parents[2]
LABELLED = ["acquire", "validate", "split", "baselines", "train", "calibrate", "evaluate", "register", "track"]
STAGES = [*LABELLED, "corpus", "select", "package", "serve_check"]
CORPUS = {"corpus", "select"}
SERVING = {"package", "serve_check"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy_code(tmp_path)
    return tmp_path


def copy_code(folder: Path) -> None:
    for name in ("assay", "tasks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A copy of the code whose files tests change and put back, and its versions."""
    folder = tmp_path_factory.mktemp("shared")
    copy_code(folder)
    return folder, versions(folder)


def add_line(file: Path) -> None:
    """Change a file that must exist: a renamed one would make a test that finds nothing."""
    file.write_bytes(file.read_bytes() + b"\n# one more line\n")


def versions(checkout: Path) -> dict[str, str]:
    return {name: code_version(checkout / "tasks" / f"{name}.py", checkout) for name in STAGES}


@pytest.mark.parametrize(
    ("file", "unchanged"),
    [
        ("assay/metrics/metrics.py", {"acquire", "validate", "split", "train", "calibrate"} | CORPUS | SERVING),
        ("assay/training/loop.py", {"acquire", "validate", "split"} | CORPUS | SERVING),
        ("assay/registry/registry.py", set(STAGES) - {"register", "package"}),
        ("assay/report/__init__.py", {"acquire", "validate", "split", "train", "calibrate", "corpus"} | SERVING),
        ("tasks/train.py", set(STAGES) - {"train"}),
        ("assay/rubric/domains/education.md", {"acquire", "corpus"}),
        ("assay/selection/choose.py", set(STAGES) - {"select"}),
        ("assay/serving/page.html", set(STAGES) - SERVING - {"register"}),
        ("assay/storage/hashing.py", set()),
        ("requirements.lock", set()),
        ("tasks/support/resources.py", set(STAGES)),
        ("assay/cli/main.py", set(STAGES)),
    ],
)
def test_a_changed_line_changes_the_versions_that_depend_on_it(
    shared: tuple[Path, dict[str, str]], file: str, unchanged: set[str]
) -> None:
    folder, before = shared
    content = (folder / file).read_bytes()
    add_line(folder / file)
    try:
        after = versions(folder)
    finally:
        (folder / file).write_bytes(content)

    assert {name for name in STAGES if before[name] == after[name]} == unchanged


def test_the_version_does_not_depend_on_the_place_of_the_code(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "deep" / "down"
    shutil.copytree(checkout, elsewhere)

    assert versions(elsewhere) == versions(checkout)


def test_the_closure_of_a_task_is_its_module_its_rooms_and_their_data() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in closure(ROOT / "tasks" / "validate.py")}

    assert {"tasks/validate.py", "assay/labels/validate.py", "assay/dedup/text.py"} <= files
    assert "assay/rubric/domains/education.md" in files
    assert not any(file.startswith(("assay/training", "assay/evaluation")) for file in files)


@pytest.mark.parametrize(("file", "changes"), [("serving/service.py", True), ("metrics/metrics.py", False)])
def test_packing_depends_on_the_code_that_it_packs_without_importing_it(
    checkout: Path, file: str, changes: bool
) -> None:
    before = packed_digest(checkout / "assay")
    add_line(checkout / "assay" / file)

    assert (packed_digest(checkout / "assay") != before) == changes


def test_a_digest_of_code_that_is_not_imported_is_in_the_version() -> None:
    from flytekit.core.cache import VersionParameters

    from tasks.package import package_model

    given = VersionParameters(func=package_model.task_function, container_image="")
    versions = {CodePolicy(also).get_version("", given) for also in (None, lambda: "one", lambda: "two")}
    assert len(versions) == 3
