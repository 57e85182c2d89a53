"""A row of the table, how it is checked, and what rows of several files share."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LABELLED = ("train", "evaluate", "compare", "challenge")
"""Commands that read labels."""
READERS = ("train", "evaluate", "score", "select", "build")
"""Commands that read a source."""
WINDOW = ["--since", "2026-01-31T12:00", "--until", "2026-01-31T18:00"]
CANNOT_LOAD = "the model cannot be loaded"
GET_AGAIN = "It may be cut off or of another kind; get it again"
MODEL_AGAIN = "Get the model again"
NOTHING_READABLE = {
    "build": ("nothing in this source can be read: ", "Its files may be cut off, or of another kind than")
}
RIGHT = "Have its owner allow it, or name another"
SHARD = "part-00000.parquet"
VERSION = "Name one of: champion, "
WHOLE = "a folder needs config.json, model.safetensors and a tokenizer"


WEBHOOKS = ("http://a", "ftp://a/b", "hooks.example", "https://", "http://[::1/", "http://a:0/", "http://a:x/")
"""Contents of files for `--webhook`; only the first is a URL of a webhook."""


@dataclass(frozen=True)
class Good:
    """Good input, made once; a row spoils a part of it."""

    labels: Path
    few: Path
    """40 labels: too few for intervals, which take most of the time of an evaluation."""
    encoder: Path
    model: Path
    snapshot: Path
    scores: Path
    ids: Path
    rows: list[dict]
    other: Path
    """Another model by the same rubric."""
    registry: Path
    """A registry with both models; `model` is the first champion."""
    versions: tuple[str, str]
    kept: Path
    """Folder of score logs, looks, a verdict that passes `other`, …"""
    taken: int
    """A port in use."""

    def command(self, name: str, out: Path, source: str | Path = "", model: str | Path = "") -> list[str]:
        """Return a command line that writes below `out`. It would succeed with the good source and the good model."""
        source, model = str(source), str(model or self.model)
        labels, corpus, pieces = source or str(self.labels), source or str(self.snapshot), str(out / "pieces")
        small = ["--rubric", "education", "--encoder", str(self.encoder), "--window-tokens", "48", "--epochs", "1"]
        scored = ["--model", model, "--scores", str(self.scores)]
        registry = ["--registry", str(self.registry)]
        here = ["--folder", str(out / "deployment"), "--port", str(self.taken)]
        test_set = ["--data", source or str(self.few), "--output", str(out / "verdict.json"), *registry]
        return {
            "compare": ["compare", model, str(self.other), *test_set],
            "challenge": ["challenge", model, "--against", str(self.other), *test_set],
            "watch": ["watch", "--model", model, *WINDOW, *registry, "--output", str(out / "watch.json")],
            "state": ["state", *registry, "--output", str(out / "state.html")],
            "list": ["registry", "list", *registry],
            "version": ["registry", "show", *registry],
            "promote": ["registry", "promote", *registry, "--why", "x"],
            "rollback": ["registry", "rollback", *registry, "--why", "x"],
            "deploy": ["deploy", *registry, *here],
            "status": ["deployment", "status", *here],
            "back": ["deployment", "rollback", *here],
            "stop": ["deployment", "stop", *here],
            "train": ["train", "--data", labels, "--output", str(out / "model"), *small],
            "evaluate": [
                "evaluate",
                "--model",
                model,
                "--data",
                source or str(self.few),
                "--output",
                str(out / "report.json"),
            ],
            "score": ["score", corpus, "--model", model, "--output", str(out / "scores")],
            "select": ["select", corpus, *scored, "--output", str(out / "selection")],
            "build": ["snapshot", "build", labels, "--output", str(out / "new"), "--pieces", pieces, "--processes=1"],
            "serve": ["serve", "--model", model, "--bentos", str(out / "bentos")],
            "show": ["snapshot", "show", corpus],
            "diff": ["snapshot", "diff", str(self.snapshot), corpus],
            "verify": ["snapshot", "verify", corpus],
            "delete": ["snapshot", "delete", corpus, "--ids", str(self.ids), "--output", str(out / "new")],
        }[name]


@dataclass(frozen=True)
class Bad:
    """A row of the table."""

    name: str
    says: tuple[str, ...]
    """Parts of the last line of the output."""
    files: dict[str, Callable[[Good], bytes]] = field(default_factory=dict)
    """Files of the source: of a folder, or a single file if its name begins with `/`."""
    commands: tuple[str, ...] = READERS
    options: tuple[str, ...] = ()
    spoil: Callable[[Path], object] | None = None
    """Damages the source, or a copy of the model or of the snapshot."""
    copies: str = ""
    """`model` or `snapshot`: the command gets a damaged copy of it."""
    says_for: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Parts of the last line instead of `says`, by command."""
    powerless: bool = False
    """Run without the rights of root, so that permissions of files hold."""
    leaves: dict[str, str] = field(default_factory=dict)
    """Names that the command may leave below the output, by command; nothing else may be left."""


def setting(name: str, command: str, options: str, *says: str, **more: Any) -> Bad:
    """Return a row for one command with bad options; `{here}`, `{labels}` and others are filled in by `check_row`."""
    return Bad(name, says, commands=(command,), options=tuple(options.split()), **more)


def rows(table: list[Bad]) -> pytest.MarkDecorator:
    """Run a test for every row with every command of it."""
    cases = [(row, command) for row in table for command in row.commands]
    return pytest.mark.parametrize(("bad", "command"), cases, ids=[f"{command}: {row.name}" for row, command in cases])


def check_row(bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path) -> None:
    """Spoil the input, run the command, and check its message and that nothing is left behind."""
    here, out, source = tmp_path / "here", tmp_path / "out", tmp_path / "source"
    out.mkdir()
    here.mkdir()
    (tmp_path / "folder.json").mkdir()
    given: dict[str, Any] = {}
    if bad.copies:
        original = good.model if bad.copies == "model" else good.snapshot
        spoilt = shutil.copytree(original, tmp_path / bad.copies)
        given["model" if bad.copies == "model" else "source"] = spoilt
    elif bad.files or bad.spoil:
        given["source"] = spoilt = source
        source.mkdir()
        for name, make in bad.files.items():
            path = source / name.lstrip("/")
            path.parent.mkdir(exist_ok=True)
            if make:
                path.write_bytes(make(good))
            if name.startswith("/"):
                given["source"] = spoilt = path
    if bad.spoil:
        bad.spoil(spoilt)
    places = {"here": here, "out": out, "labels": good.labels, "folder": tmp_path / "folder.json", "kept": good.kept}
    places |= {
        "one": good.versions[0],
        "two": good.versions[1],
        "model": good.model,
        "scores": good.scores,
        "some": good.versions[1][:8],
    }
    arguments = [*good.command(command, out, **given), *(option.format(**places) for option in bad.options)]
    scores, kept = below(good.scores), below(good.kept)

    refused(forker, arguments, bad.says_for.get(command, bad.says), powerless=bad.powerless)

    left = {name.split("/")[0] for name in below(out)}
    assert left <= set(bad.leaves.get(command, "").split()), left
    assert not below(here) and not below(tmp_path / "folder.json")
    assert below(good.scores) == scores
    assert below(good.kept) == kept
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def refused(forker: Any, command: list[str], says: tuple[str, ...], **how: Any) -> None:
    """Run a command and assert that it fails with its own message on the last line, and without a traceback."""
    before = len(forker.said())
    codes, _ = forker.run(command, **how)
    said = forker.said()[before:]
    check_said(said, command, says)
    assert codes == [2], said


def check_said(said: str, command: list[str], says: tuple[str, ...]) -> None:
    last = said.rstrip("\n").splitlines()[-1] if said.strip() else ""
    assert last.startswith((f"assay {command[0]}: ", f"assay {' '.join(command[:2])}: error: ")), said
    for words in says:
        assert words in last, (words, last)
    assert "Traceback" not in said
    assert "Error:" not in said.replace(last, ""), "of a library"


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: list[dict]) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return bytes(buffer.getvalue())


def without_footer(good: Good) -> bytes:
    return good.labels.read_bytes()[:-8] + b"\0\0\0\0PAR1"


def half_gzip(good: Good) -> bytes:
    packed = gzip.compress(lines(good.rows))
    return packed[: len(packed) // 2]


def write(path: Path, data: bytes | str) -> None:
    path.write_bytes(data) if isinstance(data, bytes) else path.write_text(data)
