"""`pyflyte run` of an annotation: the labels are those of `assay annotate`, and a second run asks nothing."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout
from judge_server import by_length, judged, serving

from assay.cli.main import main
from assay.storage import Snapshot

pytestmark = pytest.mark.full
OPTIONS = {"encoder": "words", "window_tokens": 1000, "repeats": 2, "concurrency": 4}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("run"), tiny_encoder)


def annotate(checkout: Checkout, source: Path, judges: list[str], *more: str) -> tuple[str, Path]:
    given = ["--source", str(source), "--judges", json.dumps(judges), "--options", json.dumps(OPTIONS), *more]
    run = checkout.launch("annotation.py", "annotate", *given)
    out, error = run.communicate(timeout=600)
    assert run.returncode == 0, out + error
    place = re.search(r"without a label: (\S+)", out)
    assert place is not None, out
    return out, Path(place.group(1))


def test_a_map_over_rows_gives_the_labels_of_the_command_line(
    checkout: Checkout, tmp_path: Path, sample: list[dict]
) -> None:
    source = tmp_path / "d.parquet"
    rows = [{"id": row["id"], "text": row["text"]} for row in sample[:20]] + [{"id": "none", "text": ""}]
    pd.DataFrame(rows).to_parquet(source)
    with serving(lambda body, _: judged(by_length(body))) as server:
        judge = f"m@{server.url} price=1/2"
        out, place = annotate(checkout, source, [judge], "--workers", "3", "--budget", "1.0")
        assert "40 calls, 0 answers existed" in out, out
        assert len(server.bodies) == 40
        again, _ = annotate(checkout, source, [judge], "--workers", "2", "--budget", "1.0")
        assert "0 calls, 40 answers existed" in again
        assert len(server.bodies) == 40

        command = ["annotate", "--data", str(source), "--judge", judge, "--budget", "1.0", "--repeats", "2"]
        command += ["--encoder", "words", "--window-tokens", "1000", "--answers", str(checkout.work / "answers")]
        assert main([*command, "--output", str(tmp_path / "labels")]) == 0
        assert len(server.bodies) == 40
    assert Snapshot.open(tmp_path / "labels").manifest.version == Snapshot.open(place).manifest.version
    assert (place / "_report.html").exists()
    decks = [path.read_text() for path in checkout.work.rglob("deck.html")]
    assert any("Answers by judge" in deck for deck in decks)
