"""Readers of the Dockerfile (stages and their instructions in order) and of .dockerignore (files of the context)."""

import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("task", "task-gpu", "serve")


@dataclass(frozen=True)
class Stage:
    name: str
    base: str
    instructions: tuple[tuple[str, str], ...]
    """Keyword and the rest, with continued lines joined."""

    def all(self, keyword: str) -> list[str]:
        return [rest for word, rest in self.instructions if word == keyword]


def read_stages(text: str) -> dict[str, Stage]:
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.M)).splitlines()
    stages: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, lines)):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages[name] = Stage(name, base, ())
        else:
            last = list(stages.values())[-1]
            stages[last.name] = Stage(last.name, last.base, (*last.instructions, (word, rest)))
    return stages


@cache
def stages() -> dict[str, Stage]:
    return read_stages((ROOT / "Dockerfile").read_text())


def lineage(name: str) -> list[Stage]:
    """Return a stage and the stages that it is built from, itself last."""
    stage = stages()[name]
    return [*(lineage(stage.base) if stage.base in stages() else []), stage]


def copy_context(folder: Path) -> Path:
    """Copy the files that a build would see. Our .dockerignore excludes everything, then names what gets in."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    dropped = [line.removeprefix("**/") for line in lines[1:] if line.startswith("**/")]
    for line in lines[1:]:
        if line.startswith("!"):
            source, target = ROOT / line[1:], folder / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns(*dropped))
            else:
                shutil.copy(source, target)
        else:
            assert line.startswith("**/"), f"{line}: another form than this reads"
    return folder
