"""A corpus by its name: a snapshot is used as it is, another source is copied once for each revision."""

from pathlib import Path

import pandas as pd
import pytest

from assay.errors import InputError
from assay.sources import Columns, acquire, corpus_revision, existing_snapshot, open_corpus, open_source


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "documents.parquet"
    pd.DataFrame({"text": ["one", "two"], "title": ["a", "b"]}).to_parquet(path, index=False)
    return path


def copies(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "corpora").iterdir())


def test_a_snapshot_is_used_as_it_is(table: Path, tmp_path: Path) -> None:
    made = acquire(open_source(str(table)), Columns(), tmp_path / "snapshot")

    opened = open_corpus(str(tmp_path / "snapshot"), Columns(), str(tmp_path / "work"))

    assert opened.manifest == made.manifest
    assert corpus_revision(str(tmp_path / "snapshot")) == made.manifest.version
    assert not (tmp_path / "work").exists()


def test_another_source_is_copied_once_for_each_revision_and_choice_of_columns(table: Path, tmp_path: Path) -> None:
    root = tmp_path / "work"

    first = open_corpus(str(table), Columns(), str(root))
    again = open_corpus(str(table), Columns(), str(root))

    assert existing_snapshot(str(table)) is None
    assert first.take(range(2)) == again.take(range(2)) == ["one", "two"]
    assert len(copies(root)) == 1
    open_corpus(str(table), Columns(text="title"), str(root))
    assert len(copies(root)) == 2
    before = corpus_revision(str(table))
    pd.DataFrame({"text": ["three"]}).to_parquet(table, index=False)
    assert corpus_revision(str(table)) != before
    assert open_corpus(str(table), Columns(), str(root)).take([0]) == ["three"]
    assert len(copies(root)) == 3


def test_a_source_that_cannot_be_read_leaves_no_copy(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'body'"):
        open_corpus(str(table), Columns(text="body"), str(tmp_path / "work"))

    assert not list((tmp_path / "work").rglob("*.parquet"))
    with pytest.raises(InputError, match="no such file or folder"):
        corpus_revision(str(tmp_path / "nowhere"))
