"""Registrations and promotions that are killed at any moment: the next attempt ends as if none had been killed."""

import json
import random
import signal
import time
from pathlib import Path

import pytest
from racing import CONTEXT

from assay.registry import CHAMPION, PREVIOUS, Registry, promote

FILES = 12


def model_folder(folder: Path, word: str) -> Path:
    folder.mkdir()
    for number in range(FILES):
        (folder / f"file-{number:02d}").write_bytes(f"{word} {number} ".encode() * 20_000)
    return folder


def _work(url: str, first: Path, second: Path) -> None:
    """Register two models and promote them: what is done already is not done again."""
    registry = Registry(url)
    one, two = registry.register(first, {"f1": 0.5}).name, registry.register(second, {}).name
    move = registry.alias(CHAMPION)
    if move is None:
        promote(registry, one, against="", who="x", why="first")
    if move is None or move.version == one:
        promote(registry, two, against=one, who="x", why="better")
    promote(registry, two, against=one, who="x", why="better")  # brings `previous` up to date


def visible(registry: str) -> dict[str, object]:
    """Return every visible file of a registry, the records without their times."""
    found: dict[str, object] = {}
    for path in sorted(Path(registry).rglob("*")):
        inside = path.relative_to(registry)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            data = path.read_bytes()
            fields = json.loads(data) if path.suffix == ".json" else data
            if isinstance(fields, dict):
                fields = {name: value for name, value in fields.items() if name not in ("created", "when")}
            found[inside.as_posix()] = fields
    return found


@pytest.mark.parametrize("kills", [6, pytest.param(61, marks=pytest.mark.full)])
def test_a_registry_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path: Path, kills: int) -> None:
    models = (model_folder(tmp_path / "one", "gold"), model_folder(tmp_path / "two", "lead"))
    started = time.monotonic()
    _work(str(tmp_path / "calm"), *models)
    seconds = time.monotonic() - started
    calm, chance, killed = visible(str(tmp_path / "calm")), random.Random(0), 0

    for attempt in range(kills):
        url = str(tmp_path / f"registry-{attempt // 2}")  # two kills of each
        process = CONTEXT.Process(target=_work, args=(url, *models))
        process.start()
        process.join(chance.uniform(0, 0.7 * seconds))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        registry = Registry(url)
        for version in registry.versions():  # what is visible is whole
            with registry.open(version.name) as model:
                assert len(list(model.iterdir())) == FILES
        registry.history(CHAMPION), registry.history(PREVIOUS)

    assert killed > 0
    for number in range((kills + 1) // 2):
        url = str(tmp_path / f"registry-{number}")
        _work(url, *models)
        assert visible(url) == calm
