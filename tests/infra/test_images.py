"""The images: pinned bases and packages, a user that is not root, and a context with no more than they need.

The tests need no container engine. They run the checks of the build itself, on the files of the context, by an
interpreter that has the locked packages and no others.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfile import ROOT, TARGETS, copy_context, lineage, read_stages, stages
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = {"cpu": "requirements-cpu.lock", "cuda": "requirements-gpu.lock"}
CUDA = re.compile(r"nvidia-|cuda-|triton$")
# Hides the packages that the images do not have, as if they were not installed.
ONLY_LOCKED = """
import importlib.metadata, runpy, sys
missing = set({missing!r})
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in missing else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = map(Without, sys.meta_path)
sys.argv = [{script!r}]
runpy.run_path({script!r}, run_name="__main__")
"""


LINE = re.compile(r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    return {canonicalize_name(package): version for package, version, _ in LINE.findall((ROOT / name).read_text())}


@pytest.mark.parametrize(
    ("lock", "without"),
    [("requirements.lock", {"torch"}), ("requirements-cpu.lock", {"torch"}), ("requirements-gpu.lock", set())],
)
def test_every_package_has_its_hashes_but_one_that_comes_from_two_indexes(lock: str, without: set[str]) -> None:
    text = (ROOT / lock).read_text()
    lines = LINE.findall(text)

    assert LINE.sub("", text).strip() == "", "nothing else is in a lock"
    assert {name for name, _, hashes in lines if not hashes} == without


def test_every_target_exists_and_every_base_is_pinned() -> None:
    assert set(TARGETS) <= set(stages())
    for stage in stages().values():
        if stage.base not in stages():
            assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+[a-z0-9.-]*@sha256:[0-9a-f]{64}", stage.base), stage.base


@pytest.mark.parametrize("target", TARGETS)
def test_no_user_is_root_and_the_working_directory_is_writable(target: str) -> None:
    assert [user for stage in lineage(target) for user in stage.all("USER")][-1] == "1000:1000"
    made = " ".join(stages()["base"].all("RUN"))
    assert re.search(r"useradd .*--uid 1000 .* assay\b", made)
    workdir = [each for stage in lineage(target) for each in stage.all("WORKDIR")][-1]
    assert workdir == "/tmp" or f"install --directory --owner=assay --group=assay {workdir}" in made


def test_a_change_of_code_reaches_no_layer_of_dependencies() -> None:
    for name, lock in LOCKS.items():
        copies = [each for stage in lineage(name) for each in stage.all("COPY")]
        assert copies == [f"{lock} /tmp/requirements.lock"], "nothing else installs these packages again"
    for target in TARGETS:
        words = [(word, rest) for stage in lineage(target) for word, rest in stage.instructions]
        packages = [word == "COPY" and "/opt/venv" in rest for word, rest in words].index(True)
        code = [i for i, (_, rest) in enumerate(words) if rest.startswith("assay ") or "type=bind" in rest]
        assert code and min(code) > packages


@pytest.mark.parametrize("target", ["task", "task-gpu"])
def test_images_of_tasks_hold_no_code_and_check_all_of_it(target: str) -> None:
    stage = stages()[target]
    assert [each.split()[0].split("=")[0] for each in stage.all("COPY")] == ["--from"]
    word, last = stage.instructions[-1]
    assert (word, last.split()[0]) == ("RUN", "--mount=type=bind,target=/tmp/checkout")
    assert last.split()[1:] == ["PYTHONPATH=/tmp/checkout", "python", "/tmp/checkout/infra/image/check_tasks.py"]


def test_there_is_no_secret_and_no_moving_tag() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert not re.search(r":latest\b", text)
    given = [each for stage in stages().values() for word in ("ARG", "ENV") for each in stage.all(word)]
    assert not re.search(r"(?i)token|secret|password|key", " ".join(given))
    planted = read_stages("FROM python:latest AS base\nARG A_TOKEN=1\nRUN a \\\n    && b\n")["base"]
    assert (planted.base, planted.all("ARG"), planted.all("RUN")) == ("python:latest", ["A_TOKEN=1"], ["a && b"])


def test_locks_of_the_images_are_one_resolution() -> None:
    everything, cpu, gpu = locked("requirements.lock"), locked(LOCKS["cpu"]), locked(LOCKS["cuda"])
    assert cpu.items() <= everything.items()
    assert cpu.items() <= gpu.items()
    assert all(CUDA.match(name) for name in gpu.keys() - cpu.keys())
    assert {"nvidia-cublas", "nvidia-nccl-cu13", "triton"} <= gpu.keys()
    assert not {"pytest", "moto", "mypy", "ruff"} & gpu.keys(), "tools of development"


def test_the_lock_of_the_images_has_all_requirements_of_its_packages() -> None:
    """The same check as `pip check` in an environment with these packages alone."""
    cpu = locked(LOCKS["cpu"])
    for name, version in cpu.items():
        package = importlib.metadata.distribution(name)
        assert package.version.partition("+")[0] == version, f"{name}: this environment differs from the lock"
        for line in package.requires or []:
            asked = Requirement(line)
            if asked.marker is None or asked.marker.evaluate({"extra": ""}):
                found = cpu.get(canonicalize_name(asked.name))
                assert found is not None, f"{name} requires {line}"
                assert asked.specifier.contains(found, prereleases=True), f"{name} requires {line}, not {found}"


def run_only_locked(context: Path, script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in `folder`, by an interpreter that has the packages of the images and no others."""
    cpu = locked(LOCKS["cpu"])
    missing = {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not any(canonicalize_name(owner) in cpu for owner in owners)
    }
    assert {"pytest", "hypothesis", "moto"} <= missing
    code = ONLY_LOCKED.format(missing=sorted(missing), script=str(script))
    environment = {**os.environ, "PYTHONPATH": str(context), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)


@pytest.mark.full
def test_every_task_can_be_imported_where_a_build_imports_it(tmp_path: Path) -> None:
    context, home = copy_context(tmp_path / "context"), tmp_path / "home"
    home.mkdir()
    run = run_only_locked(context, context / "infra/image/check_tasks.py", home)

    assert run.returncode == 0, run.stdout + run.stderr
    count = int(run.stdout.split()[0])
    assert count >= len(list((context / "tasks").glob("*.py"))) - 1
    assert not list(context.rglob("__pycache__"))


def test_a_task_that_cannot_start_fails_the_build(tmp_path: Path) -> None:
    """Given a task that needs a tool of development, and no `assay`."""
    context, home = tmp_path / "context", tmp_path / "home"
    (context / "infra/image").mkdir(parents=True)
    shutil.copy(ROOT / "infra/image/check_tasks.py", context / "infra/image")
    for package in ("tasks", "workflows"):
        (context / package).mkdir()
        (context / package / "__init__.py").touch()
    (context / "tasks" / "planted.py").write_text("import pytest\n")
    home.mkdir()
    run = run_only_locked(context, context / "infra/image/check_tasks.py", home)

    assert run.returncode == 1
    assert "tasks.planted cannot be imported: ModuleNotFoundError" in run.stderr
    assert "assay was not imported from" in run.stderr
