"""The good input, made once: every row spoils a part of it."""

import datetime
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from assay.cli import main
from assay.registry import Registry, promote_first
from assay.scorelog.files import write_rows
from assay.storage import digest_folder, write_snapshot
from bad_input.table import WEBHOOKS, Good

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)


def keep(folder: Path, model: Path, other: Path) -> Path:
    """Write what the service and the watch leave behind, good and damaged, and return the folder."""
    row = {"score": 2.0, "tokens": 9, "read": 1.0, "keep": True, "language": "en", "time": NOON}
    for name, of in (("log", model), ("foreign", other)):
        rows = [{**row, "version": digest_folder(of)[:12]}] * 300
        write_rows(str(folder / name), rows)
    shutil.copytree(folder / "log", folder / "cut")
    for path in (folder / "cut").glob("*/*"):
        path.write_bytes(path.read_bytes()[:200])
    for name in ("empty", "looks", "bad"):
        (folder / name).mkdir()
    for number, url in enumerate(WEBHOOKS):
        (folder / f"webhook-{number}").write_text(url)
    (folder / "looks" / "00000001.json").write_text("{}")
    (folder / "bad" / "serving.json").write_text("{")
    models = {name: {"digest": digest_folder(of)} for name, of in (("challenger", other), ("champion", model))}
    for name, said in (("passed", "promoted"), ("refused", "refused")):
        (folder / f"{name}.json").write_text(json.dumps({"verdict": said, "sentence": "It is as it is.", **models}))
    return folder


@pytest.fixture(scope="session")
def good(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_model: Path, sample: list[dict]
) -> Iterator[Good]:
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
