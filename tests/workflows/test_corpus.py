"""`pyflyte run` of a build: the snapshot is equal to that of `assay snapshot build`."""

import json
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout, finish

from assay.cli.main import main
from assay.storage import Snapshot

STAGES = ["Clean", "Find duplicates", "Write"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("run"), tiny_encoder)


def build(checkout: Checkout, source: Path) -> tuple[dict[str, bool], str, str]:
    given = ["--source", str(source), "--preset", "fineweb", "--workers", "2", "--processes", "1"]
    return finish(checkout.launch("corpus.py", "build_snapshot", *given), STAGES)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, sample: list[dict]) -> Path:
    """Three files with texts of their own, texts that all have, and a line that cannot be read."""
    source = tmp_path_factory.mktemp("in")
    texts = ["\n".join(row["text"] for row in sample[start : start + 3]) for start in range(0, 90, 3)]
    for number in range(3):
        rows = [{"text": text, "url": f"u{place}"} for place, text in enumerate(texts[number::3] + texts[:3])]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (source / f"{number}.jsonl").write_text(lines + "no JSON\n", encoding="utf-8")
    return source


@pytest.fixture(scope="module")
def first(checkout: Checkout, source: Path) -> str:
    cached, out, _ = build(checkout, source)
    assert not any(cached.values())
    return out


# A build in pods, in test_pods.py, is the short one.
@pytest.mark.full
def test_the_snapshot_is_that_of_the_command_line(checkout: Checkout, source: Path, first: str, tmp_path: Path) -> None:
    out = first
    assert "0 of 3 pieces existed" in out
    (corpus,) = (checkout.work / "corpora").iterdir()
    dropped = pd.read_parquet(corpus / "_dropped.parquet")
    assert (dropped["reason"] == "unreadable").sum() == 3
    assert (corpus / "report.html").read_text().startswith("<!doctype html>")

    command = ["snapshot", "build", str(source), "--preset", "fineweb", "--processes", "1"]
    assert main([*command, "--output", str(tmp_path / "out"), "--pieces", str(tmp_path / "pieces")]) == 0
    assert Snapshot.open(tmp_path / "out").manifest == Snapshot.open(corpus).manifest
    decks = [path.read_text() for path in checkout.work.rglob("deck.html")]
    assert any("What became of the documents?" in deck for deck in decks)


@pytest.mark.full
def test_a_source_is_cleaned_once_and_a_lost_piece_is_made_again(checkout: Checkout, source: Path, first: str) -> None:
    cached, again, _ = build(checkout, source)
    assert all(cached.values())
    assert again[again.index("What became") :] == first[first.index("What became") :]

    (lost,) = (checkout.work / "pieces").glob("*/piece-000001.parquet")
    before = lost.read_bytes()
    lost.unlink()
    cached, out, _ = build(checkout, source)
    assert cached == {"Clean": False, "Find duplicates": True, "Write": True}
    assert "2 of 3 pieces existed" in out
    assert lost.read_bytes() == before
