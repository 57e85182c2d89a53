"""Sources: columns, labels, files and folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bad_input.table import (
    GET_AGAIN,
    LABELLED,
    NOTHING_READABLE,
    RIGHT,
    Bad,
    Good,
    check_row,
    half_gzip,
    lines,
    parquet,
    refused,
    rows,
    without_footer,
)


def with_labels(good: Good, labels: Callable[[int], Any]) -> bytes:
    return parquet([row | {"label": labels(row["label"])} for row in good.rows])


def twice(good: Good) -> bytes:
    table = pa.Table.from_pylist(good.rows)
    buffer = pa.BufferOutputStream()
    pq.write_table(table.append_column("text", table["text"]), buffer)
    return bytes(buffer.getvalue())


def bad_page(good: Good) -> bytes:
    """A Parquet file whose footer is right, and the first page is not."""
    data = bytearray(good.labels.read_bytes())
    data[1500:2500] = b"\xff" * 1000
    return bytes(data)


def one(name: str, make: Callable[[Good], bytes]) -> dict[str, Callable[[Good], bytes]]:
    return {f"/{name}": make}


ONE_SCHEMA = "Give files of one schema"
TWO_LABELS = "Give documents of at least two different labels"
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
        (
            "160 of 160 rows cannot be used (160 × no label that is a number)",
            "/d.parquet, first at row 0",
            "Correct them",
        ),
        one("d.parquet", lambda good: with_labels(good, lambda label: f"grade {label}")),
        LABELLED,
    ),
    Bad(
        "labels out of range",
        ("rows cannot be used", "label outside the scale 0 to 5", "/d.parquet, first at row", "Correct them"),
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
        ("train", "evaluate", "score", "select"),  # a build keeps what is before the cut
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
        ("not valid JSON", "/d.jsonl, line 161)", "Correct or remove the line"),
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
        ("'n' is int64 in one file and string in the other", "/a.parquet and ", "/b.parquet)", ONE_SCHEMA),
        {
            "a.parquet": lambda good: parquet([row | {"n": 1} for row in good.rows]),
            "b.parquet": lambda good: parquet([row | {"n": "x"} for row in good.rows]),
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
        says_for={"build": ("Permission denied", "/d.parquet)", "Check that it exists and can be read")},
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


@rows(SOURCES)
def test_a_source_that_cannot_be_used_is_refused_in_one_line(
    bad: Bad, command: str, good: Good, forker: Any, tmp_path: Path
) -> None:
    check_row(bad, command, good, forker, tmp_path)


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
