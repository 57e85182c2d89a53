"""`assay snapshot` as users call it: a real command line on real snapshots."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from assay.storage import MANIFEST, write_snapshot

ROOT = Path(__file__).resolve().parents[3]


def assay(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assay", "snapshot", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    table = pa.table({"id": [f"d{n}" for n in range(40)], "text": [f"document number {n}" for n in range(40)]})
    provenance = {"sources": [{"uri": "somewhere", "revision": "abc"}]}
    return Path(write_snapshot(tmp_path / "corpus", table.to_batches(), provenance=provenance).url)


def test_the_content_of_a_snapshot_is_shown(corpus: Path) -> None:
    shown = assay("show", corpus)
    assert shown.returncode == 0
    assert "documents 40" in shown.stdout
    assert "somewhere at abc" in shown.stdout
    assert assay("show", corpus, "--json").stdout.strip() == (corpus / MANIFEST).read_text(encoding="utf-8")


def test_documents_are_deleted_by_id_and_the_difference_names_them(corpus: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    ids.write_text("d3\n\nd17\nunknown\n", encoding="utf-8")

    deleted = assay("delete", corpus, "--ids", ids, "--output", tmp_path / "new")
    compared = assay("diff", corpus, tmp_path / "new")

    assert deleted.returncode == 0
    assert "2 documents deleted, 38 left" in deleted.stdout
    assert "1 of 3 ids are not in this snapshot" in deleted.stderr
    assert compared.returncode == 1
    assert "- 2 documents removed: d3 d17" in compared.stdout
    assert assay("diff", corpus, corpus).returncode == 0


@pytest.mark.parametrize("damage", ["shard", "missing", "manifest"])
def test_one_changed_byte_is_found(corpus: Path, damage: str) -> None:
    assert assay("verify", corpus).returncode == 0
    shard, manifest = corpus / "part-00000.parquet", corpus / MANIFEST
    if damage == "shard":
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)
    elif damage == "missing":
        shard.unlink()
    else:
        manifest.write_text(
            manifest.read_text(encoding="utf-8").replace('"rows": 40', '"rows": 41', 1), encoding="utf-8"
        )

    found = assay("verify", corpus)

    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].startswith("assay snapshot: ")
    assert str(corpus) in found.stderr


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), ("", "there is no id"), ("nobody\n", "none of the 1 ids")]
)
def test_ids_that_cannot_be_used_change_nothing(
    corpus: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    ids = tmp_path / "ids"
    if content is not None:
        ids.write_text(content, encoding="utf-8")

    refused = assay("delete", corpus, "--ids", ids, "--output", tmp_path / "new")

    assert refused.returncode == 2
    assert message in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()
