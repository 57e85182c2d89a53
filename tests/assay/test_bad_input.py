"""The table of bad inputs: every command line, everything that can be wrong with what it is given.

Each row says what the last line on the screen must hold: what is wrong, where, and what to do. Damage that costs one
document only has rows of its own, at the end: there the command succeeds, and tells what became of the document.
"""

import datetime
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.inference import Limits
from assay.labels.validate import LONGEST
from assay.registry import Registry, promote_first
from assay.scorelog.files import write_rows
from assay.storage import digest_folder, write_snapshot

ROOT = Path(__file__).resolve().parents[2]
ASSAY = Path(sys.executable).with_name("assay")
READERS = ("train", "evaluate", "score", "select", "build")
"""Commands that read a source."""
LABELLED = ("train", "evaluate", "compare", "challenge")
HOLDERS = ("show", "diff", "verify", "delete")
"""Commands that read a snapshot."""


@dataclass(frozen=True)
class Good:
    """What is right, and made once: a row spoils a part of it."""

    labels: Path
    few: Path
    """Labels, too few for intervals, which take most of the time of an evaluation."""
    encoder: Path
    model: Path
    snapshot: Path
    scores: Path
    ids: Path
    rows: list[dict]
    other: Path
    """Another model by the same rubric."""
    registry: Path
    """Of both models; `model` is the champion, and nothing served before it."""
    versions: tuple[str, str]
    kept: Path
    """Score log, looks, a verdict that lets `other` pass, …"""
    taken: int
    """A port at which something listens."""

    def command(self, name: str, out: Path, source: str | Path = "", model: str | Path = "") -> list[str]:
        """A command line that would succeed, writing below `out`, but for the source or model that it is given."""
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


NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
WINDOW = ["--since", "2026-01-31T12:00", "--until", "2026-01-31T18:00"]


def keep(folder: Path, model: Path, other: Path) -> Path:
    """What the service and the watch leave, good and bad."""
    row = {"score": 2.0, "tokens": 9, "read": 1.0, "keep": True, "language": "en", "time": NOON}
    for name, of in (("log", model), ("foreign", other)):
        rows = [{**row, "version": digest_folder(of)[:12]}] * 300
        write_rows(str(folder / name), rows)
    shutil.copytree(folder / "log", folder / "cut")
    for path in (folder / "cut").glob("*/*"):
        path.write_bytes(path.read_bytes()[:200])
    for name in ("empty", "looks", "bad"):
        (folder / name).mkdir()
    (folder / "looks" / "00000001.json").write_text("{}")
    (folder / "bad" / "serving.json").write_text("{")
    models = {name: {"digest": digest_folder(of)} for name, of in (("challenger", other), ("champion", model))}
    for name, said in (("passed", "promoted"), ("refused", "refused")):
        (folder / f"{name}.json").write_text(json.dumps({"verdict": said, "sentence": "It is as it is.", **models}))
    return folder


@pytest.fixture(scope="module")
def good(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_model: Path, sample: list[dict]
) -> Iterator[Good]:
    from assay.cli.main import main

    folder = tmp_path_factory.mktemp("good")
    other = shutil.copytree(tiny_model, folder / "other")
    (other / "README.md").write_text("another one")
    registry = Registry(str(folder / "registry"))
    one, two = (registry.register(model, {}).name for model in (tiny_model, other))
    promote_first(registry, one, [], who="test")
    twin = shutil.copytree(folder / "registry/versions" / two, folder / "registry/versions" / f"{two[:8]}beef")
    record = json.loads((twin / "version.json").read_text())
    (twin / "version.json").write_text(json.dumps({**record, "name": twin.name}))
    taken = socket.create_server(("127.0.0.1", 0))
    rows = [{name: row[name] for name in ("id", "text", "label")} for row in sample[240:400]]
    few = folder / "few.parquet"
    made = Good(
        folder / "d.parquet",
        few,
        tiny_encoder,
        tiny_model,
        folder / "s",
        folder / "scores",
        folder / "ids",
        rows,
        other,
        folder / "registry",
        (one, two),
        keep(folder, tiny_model, other),
        taken.getsockname()[1],
    )
    pd.DataFrame(rows).to_parquet(made.labels, index=False)
    pd.DataFrame(rows[:40]).to_parquet(few, index=False)
    made.ids.write_text(f"{rows[0]['id']}\n")
    write_snapshot(
        made.snapshot,
        pa.Table.from_pylist(rows).to_batches(),
        provenance={"sources": [{"uri": str(made.labels), "revision": "1"}]},
    )
    assert main(["score", str(made.snapshot), "--model", str(tiny_model), "--output", str(made.scores)]) == 0
    yield made
    taken.close()


def lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: list[dict]) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return bytes(buffer.getvalue())


def with_labels(good: Good, labels: Callable[[int], Any]) -> bytes:
    return parquet([row | {"label": labels(row["label"])} for row in good.rows])


def twice(good: Good) -> bytes:
    table = pa.Table.from_pylist(good.rows)
    buffer = pa.BufferOutputStream()
    pq.write_table(table.append_column("text", table["text"]), buffer)
    return bytes(buffer.getvalue())


def without_footer(good: Good) -> bytes:
    return good.labels.read_bytes()[:-8] + b"\0\0\0\0PAR1"


def bad_page(good: Good) -> bytes:
    """A Parquet file whose footer is right, and the first page is not."""
    data = bytearray(good.labels.read_bytes())
    data[1500:2500] = b"\xff" * 1000
    return bytes(data)


def half_gzip(good: Good) -> bytes:
    packed = gzip.compress(lines(good.rows))
    return packed[: len(packed) // 2]


@dataclass(frozen=True)
class Bad:
    """A row of the table."""

    name: str
    says: tuple[str, ...]
    """What the last line holds."""
    files: dict[str, Callable[[Good], bytes]] = field(default_factory=dict)
    """The source or snapshot: files of a folder, or where the only name begins with `/` that file."""
    commands: tuple[str, ...] = READERS
    options: tuple[str, ...] = ()
    spoil: Callable[[Path], object] | None = None
    """Done to the source, or to a copy of the model or of the snapshot."""
    copies: str = ""
    """`model` or `snapshot`: a copy of it is spoilt and given."""
    says_for: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What the last line holds instead, by command."""
    powerless: bool = False
    leaves: dict[str, str] = field(default_factory=dict)
    """What may be left below the output, by command; nothing else may."""


def one(name: str, make: Callable[[Good], bytes]) -> dict[str, Callable[[Good], bytes]]:
    return {f"/{name}": make}


NOTHING_READABLE = {"build": ("nothing in it can be read", "Its files may be cut off; get them again")}
PIECES = {"build": "pieces"}
GET_AGAIN = "It may be cut off or of another kind; get it again"
PLACE_ELSE = "Choose another place for the output"
ONE_SCHEMA = "Give files of one schema"
TWO_LABELS = "Give documents of at least two different labels"
RIGHT = "Have its owner allow it, or name another"
PLACE = "Make room or choose another place, and run the same command again"
WHOLE = "a folder needs config.json, model.safetensors and a tokenizer"
MODEL_AGAIN = "Get the model again"

SOURCES = [
    Bad(
        "missing column",
        ("no column 'text' for the text", "/d.parquet)", "Name one of: body, id, label"),
        one("d.parquet", lambda good: parquet([{"id": "a", "body": "words", "label": 1}] * 20)),
    ),
    Bad(
        "missing label column",
        ("no column 'label' for the label", "/d.parquet)", "Name one of: text"),
        one("d.parquet", lambda good: parquet([{"text": "words"}] * 20)),
        LABELLED,
    ),
    Bad(
        "ambiguous column",
        ("column 'text' occurs twice", "/d.parquet)", "Rename one of them"),
        one("d.parquet", twice),
    ),
    Bad(
        "ambiguous column of CSV",
        ("column 'text' occurs twice", "/d.csv)", "Rename one of them"),
        one("d.csv", lambda good: b"text,label,text\na,1,b\n"),
    ),
    Bad(
        "wrong type of text",
        ("column 'text' holds int64, not text", "/d.parquet)", "Name the column of the documents"),
        one("d.parquet", lambda good: parquet([{"text": n, "label": 1} for n in range(20)])),
    ),
    Bad(
        "wrong type of label",
        ("column 'label' holds list<", "not numbers", "/d.parquet)", "Name the column of the labels"),
        one("d.parquet", lambda good: with_labels(good, lambda label: [label])),
        LABELLED,
    ),
    Bad(
        "labels that are words",
        ("160 of 160 rows cannot be used (160 × no label that is a number)", "/d.parquet, first at row 0", "Mend them"),
        one("d.parquet", lambda good: with_labels(good, lambda label: f"grade {label}")),
        LABELLED,
    ),
    Bad(
        "labels out of range",
        ("rows cannot be used", "label outside the scale 0 to 5", "/d.parquet, first at row", "Mend them"),
        one("d.parquet", lambda good: with_labels(good, lambda label: 10 * label)),
        LABELLED,
    ),
    Bad(
        "all labels equal",
        ("all 160 labels are 3 (", "/d.parquet)", TWO_LABELS),
        one("d.parquet", lambda good: with_labels(good, lambda label: 3)),
        LABELLED,
    ),
    Bad(
        "too few rows to split",
        ("too few documents to split", "(split, ", "Label more documents"),
        one("d.parquet", lambda good: parquet(good.rows[:8])),
        ("train",),
    ),
    Bad(
        "no row",
        ("there is no row in it", "/d.parquet)", "Give at least one document"),
        one("d.parquet", lambda good: parquet(good.rows)),
        ("train", "evaluate", "score", "select"),
        spoil=lambda path: pq.write_table(pq.read_table(path).slice(0, 0), path),
    ),
    Bad(
        "empty Parquet",
        ("this parquet file cannot be read: Parquet file size is 0 bytes", "/d.parquet)", GET_AGAIN),
        one("d.parquet", lambda good: b""),
        says_for=NOTHING_READABLE,
    ),
    Bad(
        "empty JSONL",
        ("there is no row in it", "/d.jsonl)", "Give at least one document"),
        one("d.jsonl", lambda good: b""),
        says_for=NOTHING_READABLE,
    ),
    Bad(
        "empty CSV",
        ("this csv file cannot be read: Empty CSV file", "/d.csv)", GET_AGAIN),
        one("d.csv", lambda good: b""),
        says_for=NOTHING_READABLE,
    ),
    Bad("empty folder", ("no file of a known kind", "/source)", "Give .parquet, .jsonl"), spoil=lambda path: path),
    Bad("folder of another kind", ("no file of a known kind", "/source)", "Give .parq"), {"a.txt": lambda good: b"x"}),
    Bad(
        "truncated gzip",
        ("this jsonl file cannot be read: Truncated compressed stream", "/d.jsonl.gz)", GET_AGAIN),
        one("d.jsonl.gz", half_gzip),
        says_for=NOTHING_READABLE,
    ),
    Bad(
        "truncated gzip among good files",
        ("this jsonl file cannot be read: Truncated compressed stream", "/source/b.jsonl.gz)", GET_AGAIN),
        {"a.jsonl": lambda good: lines(good.rows), "b.jsonl.gz": half_gzip},
        ("train", "evaluate", "score", "select"),
    ),
    Bad(
        "corrupt Parquet footer",
        ("this parquet file cannot be read: ", "/d.parquet)", GET_AGAIN),
        one("d.parquet", without_footer),
        says_for=NOTHING_READABLE,
    ),
    Bad(
        "corrupt Parquet footer among good files",
        ("this parquet file cannot be read: ", "/source/b.parquet)", GET_AGAIN),
        {"a.parquet": lambda good: parquet(good.rows), "b.parquet": without_footer},
        ("train", "evaluate", "score", "select"),
    ),
    Bad(
        "corrupt Parquet page",
        ("this parquet file cannot be read: ", "/d.parquet)", GET_AGAIN),
        one("d.parquet", bad_page),
        ("train", "evaluate", "score", "select"),
    ),
    Bad(
        "a line that is no JSON",
        ("not valid JSON", "/d.jsonl, line 161)", "Mend or remove the line"),
        one("d.jsonl", lambda good: lines(good.rows) + b'{"text": "x",\n'),
        ("train", "evaluate", "score", "select"),
    ),
    Bad(
        "a line of CSV with a cell too many",
        ("this csv file cannot be read", "Row #3: Expected 2 columns, got 3", "/d.csv)", GET_AGAIN),
        one("d.csv", lambda good: b"text,label\na,1\nb,2,3\n"),
        ("train", "evaluate", "score", "select"),
    ),
    Bad(
        "names of columns that are no UTF-8",
        ("this csv file cannot be read: 'utf-8' codec can't decode", "/d.csv)", GET_AGAIN),
        one("d.csv", lambda good: b"t\xe9xt,label\na,1\n"),
        says_for=NOTHING_READABLE,
    ),
    Bad(
        "mixed types across files",
        ("'n' is int64 in one file and string in the other", "/a.jsonl and ", "/b.jsonl)", ONE_SCHEMA),
        {
            "a.jsonl": lambda good: lines([row | {"n": 1} for row in good.rows]),
            "b.jsonl": lambda good: lines([row | {"n": "x"} for row in good.rows]),
        },
    ),
    Bad(
        "mixed columns across files",
        ("'n' is in the first file and not in the second", "/b.parquet and ", "/a.parquet)", ONE_SCHEMA),
        {
            "a.parquet": lambda good: parquet(good.rows),
            "b.parquet": lambda good: parquet([row | {"n": 1} for row in good.rows]),
        },
    ),
    Bad("missing path", ("no such file or folder", "/d.parquet)", "Check the path"), {"/d.parquet": None}),  # type: ignore[dict-item]
    Bad(
        "no permission for a file",
        ("this may not be read", "/d.parquet)", RIGHT),
        one("d.parquet", lambda good: parquet(good.rows)),
        spoil=lambda path: path.chmod(0),
        powerless=True,
        says_for={"build": ("Permission denied", "/d.parquet)", "Check that it is there and may be read")},
    ),
    Bad(
        "no permission for a folder",
        ("this source cannot be opened", "Permission denied", "/source)", "the right to read it"),
        {"a.parquet": lambda good: parquet(good.rows)},
        spoil=lambda path: path.chmod(0),
        powerless=True,
    ),
    Bad(
        "no permission for a folder among others",
        ("this source cannot be opened", "Permission denied", "/source/b'", "/source)", "the right to read it"),
        {"a.parquet": lambda good: parquet(good.rows), "b/c.parquet": lambda good: parquet(good.rows)},
        spoil=lambda path: (path / "b").chmod(0),
        powerless=True,
    ),
]


def write(path: Path, data: bytes | str) -> None:
    path.write_bytes(data) if isinstance(data, bytes) else path.write_text(data)


def change_info(path: Path, **changes: Any) -> None:
    fields = json.loads((path / "assay.json").read_text())
    (path / "assay.json").write_text(json.dumps(fields | changes))


def model_row(name: str, says: tuple[str, ...], spoil: Callable[[Path], object], *commands: str, **more: Any) -> Bad:
    return Bad(name, says, commands=commands or ("evaluate", "score", "select"), spoil=spoil, copies="model", **more)


CANNOT_LOAD = "the model cannot be loaded"
NO_SCORES = {"select": ("no complete scores of this corpus", "/scores)", "Run `assay score` first, to its end")}
MODELS = [
    model_row(
        "model of another program",
        ("no Assay model: assay.json is missing", "/model)", "Name a folder that `assay train` wrote"),
        lambda path: (path / "assay.json").unlink(),
    ),
    model_row(
        "assay.json of another program",
        ("assay.json cannot be read: KeyError('format')", "/model)", MODEL_AGAIN),
        lambda path: write(path / "assay.json", "{}"),
    ),
    model_row(
        "assay.json that is no JSON",
        ("assay.json cannot be read: JSONDecodeError", "/model)", MODEL_AGAIN),
        lambda path: write(path / "assay.json", "{"),
    ),
    model_row(
        "assay.json that is no UTF-8",
        ("assay.json cannot be read: UnicodeDecodeError", "/model)", MODEL_AGAIN),
        lambda path: write(path / "assay.json", b"\xff\xfe"),
    ),
    model_row(
        "model of a later format",
        ("model format 9, this release reads 1", "/model)", "Install the release that wrote it"),
        lambda path: change_info(path, format=9),
    ),
    model_row(
        "model of an unknown precision",
        ("precision is 'fp99'", "assay.json)", "Give fp32 or bf16"),
        lambda path: change_info(path, precision="fp99"),
    ),
    model_row(
        "uncalibrated model",
        ("this model was never calibrated", "/model)", "Train it with `assay train`"),
        lambda path: change_info(path, calibration=None),
    ),
    model_row(
        "truncated safetensors",
        (f"{CANNOT_LOAD}: Error while deserializing header", "/model)", WHOLE),
        lambda path: write(path / "model.safetensors", (path / "model.safetensors").read_bytes()[:5000]),
        says_for=NO_SCORES,
    ),
    model_row(
        "safetensors of other bytes",
        (f"{CANNOT_LOAD}: Error while deserializing header", "/model)", WHOLE),
        lambda path: write(path / "model.safetensors", b"\xff" * 3000),
        says_for=NO_SCORES,
    ),
    model_row(
        "no safetensors",
        (f"{CANNOT_LOAD}: Error no file named model.safetensors", "/model)", WHOLE),
        lambda path: (path / "model.safetensors").unlink(),
        says_for=NO_SCORES,
    ),
    model_row(
        "config.json that is no JSON",
        (CANNOT_LOAD, "/model)", WHOLE),
        lambda path: write(path / "config.json", "{"),
        says_for=NO_SCORES,
    ),
    model_row(
        "damaged record of what was seen",
        ("seen.parquet cannot be read", "/model)", MODEL_AGAIN),
        lambda path: write(path / "seen.parquet", b"x"),
        "evaluate",
    ),
    model_row(
        "no permission for assay.json",
        ("assay.json cannot be read", "Permission denied", "/model)", MODEL_AGAIN),
        lambda path: (path / "assay.json").chmod(0),
        powerless=True,
    ),
    model_row(
        "no permission for the weights",
        (CANNOT_LOAD, "/model.safetensors", "/model)", WHOLE),
        lambda path: (path / "model.safetensors").chmod(0),
        powerless=True,
        says_for={"select": ("this may not be read", "/model/model.safetensors)", RIGHT)},
    ),
    model_row(
        "no permission for the model folder",
        ("assay.json cannot be read", "Permission denied", "/model)", MODEL_AGAIN),
        lambda path: path.chmod(0),
        powerless=True,
    ),
]


def snapshot_row(name: str, says: tuple[str, ...], spoil: Callable[[Path], object], *commands: str, **more: Any) -> Bad:
    return Bad(name, says, commands=commands or HOLDERS, spoil=spoil, copies="snapshot", **more)


SNAPSHOT_AGAIN = "Make the snapshot again"
SHARD = "part-00000.parquet"
SNAPSHOTS = [
    snapshot_row(
        "missing snapshot",
        ("no snapshot: manifest.json is missing", "/snapshot)", "Make it again"),
        lambda path: shutil.rmtree(path),
    ),
    snapshot_row(
        "folder that is no snapshot",
        ("no snapshot: manifest.json is missing", "/snapshot)", "Make it again"),
        lambda path: (path / "manifest.json").unlink(),
    ),
    snapshot_row(
        "empty manifest",
        ("the manifest cannot be read", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: write(path / "manifest.json", ""),
        *HOLDERS,
        "score",
        "select",
    ),
    snapshot_row(
        "manifest of another program",
        ("the manifest cannot be read: KeyError('shards')", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: write(path / "manifest.json", "{}"),
    ),
    snapshot_row(
        "manifest that is no UTF-8",
        ("the manifest cannot be read: UnicodeDecodeError", "/snapshot/manifest.json)", SNAPSHOT_AGAIN),
        lambda path: write(path / "manifest.json", b"{\xff"),
    ),
    snapshot_row(
        "corrupt Parquet footer of a shard",
        (f"shard {SHARD} cannot be read", "/snapshot)", "restore it, or make the snapshot again"),
        lambda path: write(path / SHARD, (path / SHARD).read_bytes()[:-50]),
        "verify",
        "delete",
        says_for={"verify": (f"shard {SHARD} is missing or not what was written", "/snapshot)", "Make it again")},
    ),
    snapshot_row(
        "no permission for the manifest",
        ("this may not be read", "/snapshot/manifest.json)", RIGHT),
        lambda path: (path / "manifest.json").chmod(0),
        powerless=True,
    ),
    snapshot_row(
        "no permission for a shard",
        ("this may not be read", f"/snapshot/{SHARD})", RIGHT),
        lambda path: (path / SHARD).chmod(0),
        "verify",
        "delete",
        powerless=True,
    ),
]


def setting(name: str, command: str, options: str, *says: str, **more: Any) -> Bad:
    return Bad(name, says, commands=(command,), options=tuple(options.split()), **more)


ENCODERS = "Give all-MiniLM-L6-v2, a folder with a transformers model, or OWNER/NAME of a hub"
HEAD = "Begin it with name, low, high and threshold between two lines of ---"
RUBRIC = "---\nname: x\nlow: 0\nhigh: 5\nthreshold: 3\n---\n"
SETTINGS = [
    setting("unknown encoder", "train", "--encoder nothing", "no encoder 'nothing'", ENCODERS),
    setting("encoder of no hub", "train", "--encoder a/nothing", CANNOT_LOAD, "(a/nothing)", "Check the name"),
    setting("encoder that is a file", "train", "--encoder {labels}", "no encoder '/", ENCODERS),
    setting(
        "encoder that is another folder", "train", "--encoder {here}", "config.json is missing (/", "Name a folder"
    ),
    setting(
        "unknown recipe",
        "train",
        "--recipe nothing",
        "no recipe 'nothing'",
        "Choose one of: best, cheap, default, fineweb_edu, quickstart",
    ),
    setting("negative epochs", "train", "--epochs -1", "epochs is -1", "(training settings)", "Give more than 0"),
    setting("epochs in words", "train", "--epochs many", "argument --epochs: invalid int value: 'many'"),
    setting("negative seed", "train", "--seed -1", "seed is -1", "(training settings)", "Give 0 to 4294967295"),
    setting("no processes", "train", "--processes 0", "0 training processes", "Give 1 or more"),
    setting("no seeds", "train", "--seeds 0", "0 seeds", "Give 1 or more"),
    setting("one fold", "train", "--folds 1", "folds is 1", "(training settings)", "Give 0, or 2 and more"),
    setting("too many folds", "train", "--folds 999", "999 folds, but", "(cross-fitting)", "Take fewer folds"),
    setting("folds of rubrics", "train", "--folds 2 --also a={labels}", "for one rubric", "Leave folds out"),
    setting("unknown target", "train", "--keep best", "keep is 'best'", "Give labels, f1, share=0.1"),
    setting("target without number", "train", "--keep recall", "keep recall needs a number", "Give labels, f1"),
    setting("target in words", "train", "--keep share=all", "keep is 'share=all'", "Give labels, f1"),
    setting("target beyond promise", "train", "--keep recall=.999", "cannot promise a recall of 0.999", "Label until"),
    setting("missing weights", "train", "--weight-column no", "no column 'no' for the weight", "Name one of: id"),
    setting("weights of text", "train", "--weight-column id", "no weight above 0", "Mend them"),
    setting("window too short", "train", "--window-tokens 4", "windows of 4 tokens", "Give at least 8 tokens"),
    setting("no window", "train", "--window-count 0", "windows of 48 tokens, 0 a document", "Give at least 8 tokens"),
    setting("window too long", "train", "--window-tokens 9999", "9999 tokens, but this encoder reads 128", "Shorten"),
    setting("unknown precision", "train", "--precision fp8", "argument --precision: invalid choice: 'fp8'", "fp32"),
    setting("negative threshold", "train", "--threshold -3", "-3 lies outside the scale 0 to 5", "Choose one above 0"),
    setting("threshold beyond the scale", "train", "--threshold 9", "9 lies outside the scale 0 to 5", "at most 5"),
    setting(
        "threshold that is no number", "train", "--threshold nan", "nan lies outside the scale", "Choose one above"
    ),
    setting("negative share of bad rows", "train", "--max-quarantined -1", "max_quarantined is -1", "0 to 1"),
    setting("no share of bad rows", "train", "--max-quarantined nan", "max_quarantined is nan", "0 to 1"),
    setting(
        "column named twice", "train", "--label-column text", "one column is named twice", "Give each role its own"
    ),
    setting(
        "missing group", "train", "--group-by no", "no column 'no' for the group", "/d.parquet)", "Name one of: id"
    ),
    setting(
        "missing slice", "train", "--slice-by no", "no column 'no' to slice by (/", "/d.parquet)", "Name one of: id"
    ),
    setting(
        "unknown limit", "train", "--gate-limit excess=1", "no limit 'excess' (limits of the gates)", "shortcuts.excess"
    ),
    setting("limit in words", "train", "--gate-limit leak.leaked=no", "'leak.leaked=no' is no limit", "and a number"),
    setting(
        "no share of excess", "evaluate", "--gate-limit shortcuts.excess=3", "excess is 3 (limits of", "Give 0 to 1"
    ),
    setting("missing rubric", "train", "--rubric no.md", "no rubric 'no.md'", "Name a Markdown file or one of: educat"),
    setting(
        "further rubric without source", "train", "--also legal", "names no rubric and source", "Give RUBRIC=SOURCE"
    ),
    setting("further rubric of no kind", "train", "--also no.md={labels}", "no rubric 'no.md'", "Name a Markdown file"),
    setting(
        "further rubric with a threshold in words", "train", "--also a:x={labels}", "threshold 'x' is no number", "a:x="
    ),
    setting("further threshold", "train", "--also a:9={labels}", "9 lies outside the scale", "(rubric", "Choose one"),
    setting("rubric twice", "train", "--also education={labels}", "two rubrics of one model are called 'education'"),
    setting("further rubric from nowhere", "train", "--also a={here}/no", "/no", "(", ")"),
    setting(
        "rubric that a model lacks", "evaluate", "--rubric no", "this model has no rubric 'no'", "Name one of: edu"
    ),
    setting("rubric that a model lacks", "select", "--by no", "this model has no rubric 'no'", "Name one of: educa"),
    setting("output on a URL", "train", "--output s3://a/b", "argument --output: s3://a/b is a URL", "name a place on"),
    setting("another file for a rubric", "train", "--rubric {labels}", "cannot be read", "/d.parquet)", HEAD),
    setting(
        "ledger that is a file", "train", "--ledger {labels}/x", "cannot make the folder /", "Choose another place"
    ),
    setting(
        "report that is no JSON", "evaluate", "--output {out}/r.html", "a file of JSON", "/r.html)", "ends in .json"
    ),
    setting("report that is a folder", "evaluate", "--output {folder}", "a file of JSON", ".json)", "ends in .json"),
    setting(
        "missing slice", "evaluate", "--slice-by no", "no column 'no' to slice by (/", "/few.parquet)", "Name one of"
    ),
    setting("missing model", "evaluate", "--model {here}/no", "assay.json is missing", "/no)", "Name a folder that"),
    setting(
        "model that is a file", "evaluate", "--model {labels}", "assay.json is missing", "/d.parquet)", "Name a fold"
    ),
    setting(
        "model that is a file", "score", "--model {labels}", "assay.json is missing", "/d.parquet)", "Name a folder"
    ),
    setting(
        "model that is a file", "select", "--model {labels}", "assay.json is missing", "/d.parquet)", "Name a fold"
    ),
    setting("missing model", "score", "--model no --registry {here}", "no version 'no' (/", "Name one of"),
    setting(
        "registry that is a file", "score", "--model no --registry {labels}", "no version 'no'", "d.parquet)", "Name"
    ),
    setting("no rows in a part", "score", "--rows-per-part 0", "rows_per_part is 0", "Give 1 or more"),
    setting("negative rows in a part", "score", "--rows-per-part -5", "rows_per_part is -5", "Give 1 or more"),
    setting("missing slice", "score", "--slice-by no", "no column 'no' to slice by (/", "/s)", "Name one of: id, text"),
    setting("unknown tokenizer", "score", "--tokenizer nothing", "no encoder 'nothing'", ENCODERS),
    setting("tokenizer that may change", "score", "--tokenizer a/b", "'a/b' may change on its hub", "Pin a revision"),
    setting(
        "output of an unknown kind", "score", "--output s9://a/b", "Protocol not known: s9", "(s9://a/b/", "Give a"
    ),
    setting("negative budget", "select", "--token-budget -5", "a budget of -5 tokens", "(selection)", "Give 1 or more"),
    setting("no budget", "select", "--token-budget 0", "a budget of 0 tokens", "(selection)", "Give 1 or more"),
    setting("budget in words", "select", "--token-budget lots", "argument --token-budget: invalid int value: 'lots'"),
    setting(
        "budget below any document", "select", "--token-budget 1", "the best document alone has", "Raise the budget"
    ),
    setting("no share", "select", "--share 0", "share is 0", "(selection)", "Give more than 0 and at most 1"),
    setting(
        "share above all", "select", "--share 1.5", "share is 1.5", "(selection)", "Give more than 0 and at most 1"
    ),
    setting("share that is no number", "select", "--share nan", "share is nan", "(selection)", "Give more than 0"),
    setting("threshold beyond the scale", "select", "--threshold 9", "threshold 9 is no grade", "from 1 to 5"),
    setting("negative threshold", "select", "--threshold -1", "threshold -1 is no grade", "from 1 to 5"),
    setting("threshold between grades", "select", "--threshold 2.5", "threshold 2.5 is no grade", "from 1 to 5"),
    setting(
        "threshold that is no number", "select", "--threshold nan", "threshold is nan", "Give a grade of the scale"
    ),
    setting(
        "two requests", "select", "--share .5 --token-budget 9", "token_budget and share at once", "Give one of them"
    ),
    setting("unknown target of a selection", "select", "--keep best", "keep is 'best'", "Give labels, f1"),
    setting("share as a target", "select", "--keep share=0.1", "keep is a share (selection)", "Give it as share"),
    setting(
        "two requests, one a target", "select", "--keep f1 --share .5", "share and keep at once", "Give one of them"
    ),
    setting("no scores", "select", "--scores {here}/no", "there are no scores", "/no)", "Run `assay score` first"),
    setting(
        "scores of another corpus", "select", "--scores {folder}", "no complete scores", ".json)", "Run `assay score`"
    ),
    setting("similarity of nothing", "build", "--similarity 0", "threshold 0 must lie above 0 and at most at 1"),
    setting("similarity above all", "build", "--similarity 2", "threshold 2 must lie above 0 and at most at 1"),
    setting("negative seconds", "build", "--page-seconds -1", "page_seconds is -1", "Give more than 0"),
    setting("no megabytes", "build", "--shard-megabytes 0", "shard_megabytes is 0", "Give 1 or more"),
    setting("no processes", "build", "--processes 0", "0 processes", "(curation)", "Give 1 or more"),
    setting("unknown preset", "build", "--preset nothing", "no preset 'nothing'", "Name one of: none, fineweb"),
    setting(
        "missing benchmarks", "build", "--benchmarks {here}/no", "no such file or folder of benchmark texts", "/no)"
    ),
    setting(
        "missing text column", "build", "--text-column no", "no column 'no' for the text", "Name one of: id, label"
    ),
    setting(
        "missing id column", "build", "--id-column no", "no column 'no' for the id", "/d.parquet)", "Name one of: id"
    ),
    setting("missing model", "serve", "--model no --registry {here}", "no version 'no' (/", "Name one of"),
    setting(
        "registry that is a file", "serve", "--model no --registry {labels}", "no version 'no'", "d.parquet)", "Name"
    ),
    setting("bentos on a URL", "serve", "--bentos s3://a/b", "argument --bentos: s3://a/b is a URL", "name a place on"),
    setting("missing ids", "delete", "--ids {here}/no", "the ids cannot be read", "/no)", "Give a text file, one id a"),
    setting(
        "ids that are no text", "delete", "--ids {labels}", "the ids cannot be read", "/d.parquet)", "Give a text f"
    ),
    setting(
        "ids that are a folder", "delete", "--ids {here}", "the ids cannot be read: [Errno 21] Is a", "Give a text"
    ),
    setting("output that exists", "train", "--output {folder}", "the output exists already", ".json)", "Remove it"),
    setting("output that exists", "select", "--output {folder}", "the output exists already", ".json)", "Remove it"),
    setting("output that exists", "build", "--output {folder}", "the output exists already", ".json)", "Remove it"),
    setting("output that exists", "delete", "--output {folder}", "the output exists already", ".json)", "Remove it"),
]
VERSION = "Name one of: champion, "
EMPTY = "(the registry is empty)"
DEPLOYMENT = {"leaves": dict.fromkeys(("deploy", "back", "stop"), "deployment")}
CHAMPIONS = [
    *(
        setting("unknown version", name, "nothing", "no version 'nothing'", "/registry)", VERSION)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("first characters of two versions", name, "{some}", "more than one version", "/registry)", VERSION)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("too few characters of a version", name, "abc", "no version 'abc'", "/registry)", VERSION)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("version of an empty registry", name, "champion --registry {here}", "no version 'champion'", EMPTY)
        for name in ("version", "promote", "deploy")
    ),
    *(
        setting("registry that is a file", name, f"{version} --registry {{labels}}", says, "/d.parquet)", "Name")
        for name, version, says in (
            ("list", "", "this is a file"),
            ("version", "champion", "this is a file"),
            ("promote", "champion", "this is a file"),
            ("rollback", "", "this is a file"),
            ("deploy", "champion", "no version 'champion'"),
            ("state", "", "this is a file"),
        )
    ),
    *(
        setting("registry of an unknown kind", name, "--registry s9://a", "Protocol not known: s9", "(s9://a", "Give a")
        for name in ("list", "rollback", "state")
    ),
    setting("promotion without a verdict", "promote", "{two}", "has not let", "it was not asked", "Give a verdict"),
    setting("missing verdict", "promote", "{two} --verdict {here}/no", "the verdict cannot be read", "/no)", "Give a"),
    setting("verdict that is a folder", "promote", "{two} --verdict {here}", "the verdict cannot be read", "Give a"),
    setting("verdict of another kind", "promote", "{two} --verdict {labels}", "this is no verdict", "/d.parquet)"),
    setting(
        "verdict about another model", "promote", "{one} --verdict {kept}/passed.json", "about", "not about", "Judge"
    ),
    setting(
        "refused", "promote", "{two} --verdict {kept}/refused.json", "has not let", "It is as it is", "refused.json"
    ),
    setting(
        "no reason", "promote", "{two} --verdict {kept}/passed.json --why=", "needs a name and a reason", "Say who"
    ),
    setting("no reason", "rollback", "--why=", "needs a name and a reason", "Say who"),
    setting("nothing served before", "rollback", "", "nothing served before this champion", "/registry)", "Promote"),
    setting("no champion", "rollback", "--registry {here}", "there is no champion", "/here)", "Promote the version"),
    setting("unknown version", "rollback", "--of nothing", "no version 'nothing'", "/registry)", VERSION),
    setting("missing reason", "rollback", "--who x --why", "argument --why: expected one argument"),
]
PAGES = [
    setting("looks that are a file", "state", "--looks {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("log that is a file", "state", "--log {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("looks of an unknown kind", "state", "--looks s9://a", "Protocol not known: s9", "(s9://a)", "Give a path"),
    setting("no days", "state", "--days 0", "0 days of the score log", "Give 1 or more"),
    setting("days in words", "state", "--days many", "argument --days: invalid int value: 'many'"),
    setting(
        "page of another kind", "state", "--output {out}/s.json", "the state is a page", "/s.json)", "ends in .html"
    ),
    setting("page on a URL", "state", "--output s3://a/b.html", "argument --output: s3://a/b.html is a URL"),
]
WATCHED = [
    setting("neither log nor scores", "watch", "", "one of the arguments --log --scores is required"),
    setting("log and scores", "watch", "--log {kept}/log --scores {here}", "not allowed with argument --log"),
    setting("missing log", "watch", "--log {here}/no", "there is no score log", "/no)", "ASSAY_SERVE_LOG"),
    setting("log that is a file", "watch", "--log {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("empty log", "watch", "--log {kept}/empty", "the window has 0 scored documents", "Take a longer window"),
    setting(
        "log of another model", "watch", "--log {kept}/foreign", "no answer of", "but some of", "Name the model that"
    ),
    setting(
        "corrupt log", "watch", "--log {kept}/cut", "file of the score log cannot be read", ".parquet)", "Remove it"
    ),
    setting("too small a window", "watch", "--log {kept}/log --least-documents 999", "has 300 scored", "needs 999"),
    setting("window that ends before it begins", "watch", "--log {kept}/log --until 2026-01-01", "the window ends at"),
    setting("time in words", "watch", "--log {kept}/log --since monday", "'monday' is no time", "Give one as 2026"),
    setting("times of scores", "watch", "--scores {here}", "scores of a corpus have no times", "Leave --since"),
    setting(
        "reference of another kind", "watch", "--log {kept}/log --reference {here}", "no complete scores", "/here)"
    ),
    setting("missing model", "watch", "--log {kept}/log --model no", "no version 'no'", "/registry)", "Name one of"),
    setting(
        "corrupt looks",
        "watch",
        "--log {kept}/log --looks {kept}/looks --reference {scores}",
        "look cannot be read",
        "0001",
    ),
    setting("looks that are a file", "watch", "--log {kept}/log --looks {labels}", "this is a file", "Name the folder"),
    setting(
        "result of another kind", "watch", "--log {kept}/log --output {out}/w.html", "a file of JSON", "ends in .json"
    ),
    setting(
        "result that is a folder", "watch", "--log {kept}/log --output {folder}", "a file of JSON", "ends in .json"
    ),
    *(
        setting(
            f"{value} for {name}", "watch", f"--log {{kept}}/log --{name} {value}", f"{words} is {value}", "(watch)"
        )
        for name, words, value in (
            ("every-hours", "every_hours", "-1.0"),
            ("every-hours", "every_hours", "nan"),
            ("false-alarms-a-year", "false_alarms_a_year", "-0.1"),
            ("least-documents", "least_documents", "-5"),
            ("cool-down-hours", "cool_down_hours", "-2.0"),
        )
    ),
    *(
        setting(
            "webhook of another kind", "watch", f"--log {{kept}}/log --webhook {url}", "no URL of a webhook", "Give one"
        )
        for url in ("ftp://a/b", "hooks.example", "https://", "http://[::1/", "http://a:0/")
    ),
    setting(
        "webhook with a bad port", "watch", "--log {kept}/log --webhook http://a:x/", "no URL of a webhook", "Give"
    ),
    setting(
        "unknown form of a webhook",
        "watch",
        "--log {kept}/log --webhook http://a --webhook-form x",
        "no form 'x'",
        "json",
    ),
]
JUDGED = [
    setting(
        "verdict of another kind", "challenge", "--output {out}/v.html", "a file of JSON", "/v.html)", "ends in .json"
    ),
    setting(
        "comparison of another kind", "compare", "--output {out}/v.html", "a file of JSON", "/v.html)", "ends in .js"
    ),
    *(
        setting("missing slice", name, "--slice-by no", "no column 'no' to slice by", "Name one")
        for name in LABELLED[2:]
    ),
    setting("unknown champion", "challenge", "--against no", "no version 'no'", "/registry)", "Name one of"),
    setting("against itself", "challenge", "--against {model}", "are the same model", "Name another challenger"),
    setting("unknown limit", "challenge", "--limit x=1", "no limit 'x'", "Name one of: mode, margin"),
    setting("limit in words", "challenge", "--limit margin=x", "'margin=x' is no limit", "and a number"),
    setting(
        "negative margin", "challenge", "--limit margin=-1", "margin -1 must be above 0", "(limits of a promotion)"
    ),
    setting("no number of megabytes", "challenge", "--limit megabytes=nan", "megabytes nan must be above 0"),
    setting("unknown mode", "challenge", "--limit mode=best", "mode is 'best'", "give better or not_worse"),
    setting(
        "day in words", "challenge", "--data-until monday", "'monday' is no date", "(--data-until)", "Give it like"
    ),
    setting("day to come", "challenge", "--data-until 2999-01-01", "still to come", "Give the day they end"),
]
DEPLOYED = [
    *(
        setting(
            "unknown target", name, f"{version} --target moon", "there is no target 'moon'", "(--target)", "Give local"
        )
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""), ("stop", ""))
    ),
    *(
        setting("port in words", name, f"{version} --port http", "--port is 'http'", "Give a whole number")
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""), ("stop", ""))
    ),
    setting("port that there is not", "deploy", "{one} --port 99999", "there is no port 99999", "from 1 to 65535"),
    setting("negative port", "deploy", "{one} --port=-1", "there is no port -1", "from 1 to 65535"),
    setting("port in use", "deploy", "{one}", "nothing is served", "cannot be had", "Name another", **DEPLOYMENT),
    setting("no time", "deploy", "{one} --within 0", "limits of 0", "Give seconds above 0"),
    setting("time that is no number", "deploy", "{one} --within nan", "limits of nan", "Give seconds above 0"),
    setting("time in words", "deploy", "{one} --within long", "--within is 'long'", "Give a number"),
    setting("state on a URL", "deploy", "{one} --folder s3://a", "s3://a is a URL", "(--folder)", "Name a folder of"),
    setting("state that is a file", "deploy", "{one} --folder {labels}", "this is a file", "/d.parquet)", "Name"),
    setting("state that is a file", "status", "--folder {labels}", "this is a file", "/d.parquet)", "Name the folder"),
    setting("corrupt state", "status", "--folder {kept}/bad", "cannot be read", "/bad/serving.json)", "deploy again"),
    setting("nothing to go back to", "back", "", "there is no version to go back to", "Deploy one", **DEPLOYMENT),
    setting("a cluster", "stop", "--target kubernetes", "a cluster is not stopped from here", "`kubectl delete -k`"),
    *(
        setting(
            "unknown context", name, f"{version} --target kubernetes --context moon", "no way to a cluster", "Name a"
        )
        for name, version in (("deploy", "{one}"), ("status", ""), ("back", ""))
    ),
    setting("no time", "status", "--target kubernetes --within -1", "within is -1", "Give a number above 0"),
    setting("time that is no number", "status", "--target kubernetes --within nan", "within is nan", "Give a number"),
]
OTHER_SCALE = {"rubric": {"name": "education", "low": 0, "high": 9, "threshold": 3}}
PAIRS = [
    model_row(
        "model of another program",
        ("no Assay model: assay.json is missing", "/model)", "Name a folder that `assay train` wrote"),
        lambda path: (path / "assay.json").unlink(),
        *LABELLED[2:],
    ),
    model_row(
        "uncalibrated model",
        ("never calibrated", "/model)", "Train it with `assay train`"),
        lambda path: change_info(path, calibration=None),
        *LABELLED[2:],
    ),
    model_row(
        "models of different scales",
        ("different scales", "0 to 9", "0 to 5"),
        lambda path: change_info(path, **OTHER_SCALE),
        *LABELLED[2:],
    ),
    model_row(
        "damaged record of what was seen",
        ("seen.parquet cannot be read", "/model)", MODEL_AGAIN),
        lambda path: write(path / "seen.parquet", b"x"),
        *LABELLED[2:],
    ),
    model_row(
        "truncated safetensors",
        (f"{CANNOT_LOAD}: Error while deserializing header", "/model)", WHOLE),
        lambda path: write(path / "model.safetensors", (path / "model.safetensors").read_bytes()[:5000]),
        *LABELLED[2:],
    ),
    model_row(
        "damaged evaluation",
        ("evaluation.json cannot be read", "/model)", "Get it again"),
        lambda path: write(path / "evaluation.json", "{"),
        "challenge",
    ),
    model_row(
        "damaged reference",
        ("reference.json cannot be read", "/model)", MODEL_AGAIN),
        lambda path: write(path / "reference.json", "{"),
        "watch",
        options=("--log", "{kept}/log"),
    ),
]
BELOW_A_FILE = [
    setting(
        "output below a file", name, f"--output {{labels}}/x{end}", *("cannot make the folder /", PLACE_ELSE), **more
    )
    for name, end, more in [
        *((name, "", {}) for name in ("train", "score", "select", "delete")),
        *((name, ".json", {}) for name in ("evaluate", "compare", "challenge")),
        ("state", ".html", {}),
        ("build", "", {"leaves": PIECES}),
    ]
]
TABLE = [
    (row, command)
    for row in (
        *SOURCES,
        *MODELS,
        *SNAPSHOTS,
        *SETTINGS,
        *CHAMPIONS,
        *PAGES,
        *WATCHED,
        *JUDGED,
        *DEPLOYED,
        *PAIRS,
        *BELOW_A_FILE,
    )
    for command in row.commands
]


def refused(forker: Any, command: list[str], says: tuple[str, ...], **how: Any) -> None:
    """A command that fails as it should: its own message, alone on the last line, and no traceback."""
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


@pytest.mark.parametrize(("bad", "command"), TABLE, ids=[f"{command}: {row.name}" for row, command in TABLE])
def test_what_cannot_be_used_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
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


RUBRICS = {
    "no head": ("hello", ("this rubric cannot be read: it has no YAML head", "/r.md)", HEAD)),
    "no UTF-8": (b"---\nname: \xff\n---\n", ("this rubric cannot be read: 'utf-8' codec", "/r.md)", HEAD)),
    "no YAML": (RUBRIC.replace("low", " low: ["), ("this rubric cannot be read: ", "/r.md)", HEAD)),
    "a scale without room": (RUBRIC.replace("0", "7"), ("the scale 7 to 5 has no room", "(rubric x)", "Give a `high`")),
    "a scale of times": (
        RUBRIC.replace("5", "1760000000"),
        ("more than 1,000 grades", "(rubric x)", "Name the column"),
    ),
    "a scale in words": (RUBRIC.replace("0", "none"), ("this rubric cannot be read: ", "/r.md)", HEAD)),
    "an unknown metric": (
        RUBRIC.replace("low", "primary_metric: luck\nlow"),
        ("no metric 'luck'", "(rubric x, primary_metric)", "Name one of: f1, precision"),
    ),
}


@pytest.mark.parametrize("name", RUBRICS)
def test_a_rubric_that_cannot_be_used_is_refused(name: str, good: Good, forker: Any, tmp_path: Path) -> None:
    content, says = RUBRICS[name]
    write(tmp_path / "r.md", content)

    refused(forker, [*good.command("train", tmp_path), "--rubric", str(tmp_path / "r.md")], says)

    assert below(tmp_path) == {"r.md"}


@pytest.mark.parametrize("labels", ["equal", "times"])
def test_labels_that_give_no_scale_are_refused(labels: str, good: Good, forker: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "d.parquet", tmp_path / "out"
    rows = [row | {"label": 3 if labels == "equal" else 1_760_000_000 + n} for n, row in enumerate(good.rows)]
    source.write_bytes(parquet([row if labels == "equal" or n else row | {"label": 0} for n, row in enumerate(rows)]))
    command = [part for part in good.command("train", out, source) if part not in ("--rubric", "education")]
    says = {
        "equal": ("all 160 labels are 3 (", "/d.parquet)", TWO_LABELS),
        "times": ("has more than 1,000 grades", "Name the column of the labels"),
    }

    refused(forker, command, says[labels])

    assert not out.exists()


@pytest.mark.parametrize("command", ["train", "evaluate", "score", "select", "build", "delete"])
def test_an_output_that_may_not_be_written_is_refused(command: str, good: Good, forker: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)

    refused(forker, good.command(command, out), ("cannot write: Permission denied", f"({out}/", PLACE), powerless=True)

    assert not below(out)


@pytest.fixture(scope="module")
def full_disk(small_file_system: Callable[[int], Path]) -> Path:
    """A file system of its own, with a file that fills it."""
    disk = small_file_system(64)
    (disk / "filler").write_bytes(b"x" * 2**16)
    return disk


@pytest.mark.parametrize("command", ["train", "evaluate", "score", "select", "build", "delete"])
def test_a_disk_without_space_says_so_and_nothing_is_half_written(
    command: str, good: Good, forker: Any, full_disk: Path
) -> None:
    says = ("cannot write: No space left on device", f"({full_disk}/", PLACE)

    refused(forker, good.command(command, full_disk), says)

    assert below(full_disk) == {"filler"}


@pytest.mark.parametrize("kilobytes", [200, 600, *(pytest.param(size, marks=pytest.mark.full) for size in (64, 300))])
def test_a_temporary_folder_that_fills_while_a_model_is_trained_says_so(
    kilobytes: int, good: Good, forker: Any, full_disk: Path, tmp_path: Path
) -> None:
    """Where it fills differs: in the snapshot, in the weights, in the tokenizer, in the copy that is calibrated."""
    (full_disk / "filler").unlink()
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(full_disk)], check=True)
    try:
        says = ("cannot write: No space left on device", f"({full_disk}/", PLACE)
        refused(forker, good.command("train", tmp_path / "out"), says, environment={"TMPDIR": str(full_disk)})
        assert not below(full_disk)
        assert not (tmp_path / "out" / "model").exists()
    finally:
        subprocess.run(["mount", "-o", "remount,size=64k", str(full_disk)], check=True)
        (full_disk / "filler").write_bytes(b"x" * 2**16)


def test_deleting_every_document_is_refused(good: Good, forker: Any, tmp_path: Path) -> None:
    write(tmp_path / "ids", "\n".join(row["id"] for row in good.rows))

    command = [*good.command("delete", tmp_path), "--ids", str(tmp_path / "ids")]
    refused(forker, command, ("there is no row left", f"({good.snapshot})", "Remove the whole snapshot"))

    assert below(tmp_path) == {"ids"}


REASONS = {
    "empty": "no text",
    "nul": "NUL in the text",
    "again": "id of another text",
    "range": "label outside the scale 0 to 5",
    "long": f"text longer than {LONGEST:,} characters",
}


@pytest.fixture(scope="module")
def odd(good: Good, sample: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good corpus with documents that are odd: each costs itself, and nothing else."""
    path = tmp_path_factory.mktemp("odd") / "odd.jsonl"
    rows = [
        {"id": "empty", "text": "", "label": 2},
        {"id": "nul", "text": f"{sample[400]['text']}\0", "label": 2},
        {"id": good.rows[0]["id"], "text": "The id of another document, under a text of its own.", "label": 1},
        {"id": "copy", "text": good.rows[1]["text"], "label": good.rows[1]["label"]},
        {"id": "range", "text": "A label that no scale has; the text itself is as good as any.", "label": 9},
        {"id": "long", "text": ("Thirty megabytes of this. " * 1_200_000)[:30_000_000], "label": 3},
    ]
    latin = lines([{"id": "latin", "text": f"Caf\xe9. {sample[401]['text']}", "label": 3}])
    path.write_bytes(lines(good.rows) + latin.replace(rb"\u00e9", b"\xe9") + lines(rows))
    return path


def test_a_model_is_trained_on_what_is_good_and_the_report_names_the_rest(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    before = len(forker.said())
    assert forker.run(good.command("train", tmp_path, odd))[0] == [0], forker.said()[before:]

    assert "161 documents, 5 quarantined, 1 merged" in forker.said()[before:]
    report = (tmp_path / "model" / "report.html").read_text()
    assert all(f"<td>{reason}</td>" in report for reason in REASONS.values())
    assert Limits().characters == LONGEST, "nothing is trained on that would not be scored"


def test_a_model_is_evaluated_on_what_is_good_and_the_report_counts_the_rest(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    before = len(forker.said())
    assert forker.run(good.command("evaluate", tmp_path, odd))[0] == [0], forker.said()[before:]

    assert "161 documents, 5 quarantined, 1 merged" in forker.said()[before:]
    fields = json.loads((tmp_path / "report.json").read_text())
    assert fields["documents"] == 161
    assert fields["quarantined"] == dict.fromkeys(REASONS.values(), 1)
    page = (tmp_path / "report.html").read_text()
    assert all(f"<td>{reason}</td>" in page for reason in REASONS.values())


def test_every_document_has_a_score_or_a_reason_and_none_without_a_score_is_selected(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    score = good.command("score", tmp_path, odd)
    select = ["select", str(odd), "--model", str(good.model), "--scores", str(tmp_path / "scores"), "--share", "1"]
    before = len(forker.said())
    assert forker.run(score)[0] == [0], forker.said()[before:]
    assert forker.run([*select, "--output", str(tmp_path / "selection")])[0] == [0], forker.said()[before:]

    (plan,) = (tmp_path / "scores").glob("*/_plan.json")
    table = pd.read_parquet(plan.parent)
    assert len(table) == 167
    reasons = table.set_index("id")["reason"].dropna().to_dict()
    assert reasons == {"empty": "no text", "long": "too long"}
    assert "no score: no text 1" in forker.said()[before:]
    assert "no score: too long 1" in forker.said()[before:]
    selected = pd.concat(pd.read_parquet(path) for path in (tmp_path / "selection").glob("part-*.parquet"))
    assert not {"empty", "long"} & set(selected["id"])
    assert {"nul", "latin", "range", good.rows[0]["id"]} <= set(selected["id"])
    text = selected.set_index("id").loc["latin", "text"]
    assert text.startswith("Caf\ufffd. "), "repaired, and the damage is visible"
    duplicates = pd.read_parquet(tmp_path / "selection" / "_duplicates.parquet")
    assert len(selected) + len(duplicates) == 165


def test_a_snapshot_is_built_of_what_is_good_and_the_rest_is_told(
    good: Good, odd: Path, forker: Any, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.link(odd, source / "a.jsonl")
    (source / "b.jsonl.gz").write_bytes(half_gzip(good))
    (source / "c.parquet").write_bytes(without_footer(good))
    (source / "d.jsonl").write_bytes(lines(good.rows[:1]).replace(b"text", b'text": "x", "x') + b"{\n[]\n")
    # Without the search for duplicates, which takes half a minute for thirty megabytes of text.
    command = [*good.command("build", tmp_path, source), "--keep-duplicates"]
    before = len(forker.said())

    codes, _ = forker.run(command)

    assert codes == [0], forker.said()[before:]
    kept = pd.read_parquet(tmp_path / "new" / SHARD)
    dropped = pd.read_parquet(tmp_path / "new" / "_dropped.parquet")
    assert dropped.loc[dropped["id"] == "empty", "reason"].tolist() == ["no text"]
    lost = dropped[dropped["reason"] == "unreadable"].set_index("member")["detail"]
    assert "cannot be read" in lost["c.parquet"]
    assert "Truncated compressed stream" in lost["b.jsonl.gz"]
    assert sorted(line.split()[1] for line in lost["d.jsonl"]) == ["2", "3"]
    ids = kept["id"].tolist()
    assert {"nul", "copy", "range", "latin", "long"} <= set(ids)
    assert ids.count(good.rows[0]["id"]) >= 2, "ids are the source's own, and so is their doubling"
    assert len(kept.loc[kept["id"] == "long", "text"].iloc[0]) > 29_000_000
    assert kept.loc[kept["id"] == "latin", "text"].iloc[0].startswith("Caf\ufffd")


def test_csv_in_another_encoding_is_repaired(good: Good, forker: Any, tmp_path: Path) -> None:
    write(tmp_path / "d.csv", "id,text\na,Un café au lait.\nb,Plain words.\n".encode("latin-1"))

    assert forker.run(good.command("score", tmp_path, tmp_path / "d.csv"))[0] == [0], forker.said()

    (corpus,) = (tmp_path / "scores" / "corpora").iterdir()
    assert pd.read_parquet(corpus / SHARD)["text"].tolist() == ["Un caf\ufffd au lait.", "Plain words."]


def test_few_documents_are_evaluated_without_intervals(good: Good, forker: Any, tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(parquet(good.rows[:8]))
    before = len(forker.said())

    assert forker.run(good.command("evaluate", tmp_path, tmp_path / "d.parquet"))[0] == [0]

    assert "too few for intervals" in forker.said()[before:]


@pytest.mark.parametrize(
    "case", ["build", "usage", *(pytest.param(command, marks=pytest.mark.full) for command in ("train", "score"))]
)
def test_real_processes_say_the_same_and_nothing_comes_after_it(case: str, good: Good, tmp_path: Path) -> None:
    """With all that a library may print, or a process may leave, on its way out."""
    out, source = tmp_path / "out", tmp_path / "d.parquet"
    broken = shutil.copytree(good.model, tmp_path / "model")
    write(broken / "model.safetensors", b"\xff" * 3000)
    source.write_bytes(without_footer(good))
    command, says = {
        "train": (good.command("train", out, source), ("this parquet file cannot be read", f"({source})", GET_AGAIN)),
        "score": (good.command("score", out, model=broken), (f"{CANNOT_LOAD}: ", f"({broken})", WHOLE)),
        "build": (good.command("build", out, source)[:-1], (*NOTHING_READABLE["build"], f"({source})")),
        "usage": (good.command("select", out)[:-2], ("the following arguments are required: --output",)),
    }[case]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}

    run = subprocess.run([ASSAY, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    check_said(run.stderr, command, says)
    assert run.returncode == 2
    assert run.stdout == ""
    assert not out.exists()
