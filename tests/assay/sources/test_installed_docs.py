"""The documentation in installed packages: complete, in a fixed order, and without importing any package."""

import inspect
import sys
from pathlib import Path

import pluggy
import pyarrow as pa
import pytest

from assay.errors import InputError
from assay.sources import Columns, acquire, open_source
from assay.sources.installed import LARGEST, ROWS, SHORTEST, parse

LONG = " ".join(["What this does is told in so many words that nobody would take it for a summary line."] * 3)
HEAD = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def install(
    site: Path, name: str, version: str, files: dict[str, str | bytes], *, head: str = "", description: str = ""
) -> None:
    """Write what an installer leaves: the files, and a dist-info folder that lists them."""
    info = f"{name}-{version}.dist-info"
    metadata = HEAD.format(name=name, version=version) + head + f"\n{description}"
    everything = {f"{info}/METADATA": metadata, **files}
    for path, content in everything.items():
        place = site / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in [*everything, f"{info}/RECORD"]))


def rows_of(site: Path, uri: str = "installed-docs") -> list[dict]:
    return [row for batch in parse(uri, [str(site)]).batches() for row in batch.to_pylist()]


def places(rows: list[dict]) -> list[str]:
    return [row["url"].removeprefix("pypi:") for row in rows]


def documented(head: str, body: str = "pass", indent: str = "") -> str:
    return f'{indent}{head}:\n{indent}    """{LONG}"""\n{indent}    {body}\n'


def test_real_packages_become_a_snapshot_of_their_documents(tmp_path: Path) -> None:
    source = open_source("installed-docs:pluggy, iniconfig")

    snapshot = acquire(source, Columns(), tmp_path / "snapshot")

    rows = [row for batch in snapshot.batches() for row in batch.to_pylist()]
    version = pluggy.__version__
    by_url = {row["url"]: row for row in rows}
    method = by_url[f"pypi:pluggy=={version}/pluggy/_manager.py#PluginManager.add_hookcall_monitoring"]
    assert method["text"] == inspect.getdoc(pluggy.PluginManager.add_hookcall_monitoring)
    assert (method["package"], method["kind"], method["license"]) == ("pluggy", "docstring", "MIT")
    assert by_url[f"pypi:pluggy=={version}/METADATA"]["kind"] == "description"
    assert {row["package"] for row in rows} == {"iniconfig", "pluggy"}
    assert {row["kind"] for row in rows} == {"docstring", "description", "licence"}
    assert len(by_url) == len({row["id"] for row in rows}) == len(rows)
    assert all(len(row["text"]) >= SHORTEST and len(row["id"]) == 32 for row in rows)
    assert not any(sys.prefix in str(value) for row in rows for value in row.values())


def test_every_docstring_is_found_under_its_qualified_name(tmp_path: Path) -> None:
    module = f'"""{LONG}"""\n' + "".join(
        [
            documented("class Outer"),
            documented("class Inner", indent="    "),
            documented("async def coroutine(self)", indent="        "),
            f"    @property\n{documented('def size(self)', indent='    ')}",
            f"    @size.setter\n{documented('def size(self, value)', indent='    ')}",
            'def short():\n    """Too short to be a document."""\n',
            documented("def outer()"),
            documented("def inner()", indent="    "),
            f"try:\n    import nothing\nexcept ImportError:\n{documented('def fallback()', indent='    ')}",
            f"match 1:\n    case 1:\n{documented('def matched()', indent='        ')}",
            f'x = """{LONG}"""\n',
        ]
    )
    install(tmp_path, "Some_Package", "1.0", {"some/__init__.py": module})

    rows = rows_of(tmp_path)

    names = ["", "#Outer", "#Outer.Inner", "#Outer.Inner.coroutine", "#Outer.size", "#Outer.size~2"]
    names += ["#outer", "#outer.<locals>.inner", "#fallback", "#matched"]
    assert places(rows) == [f"some-package==1.0/some/__init__.py{name}" for name in names]
    assert {row["text"] for row in rows} == {LONG}
    assert len({row["id"] for row in rows}) == len(rows)


def test_unreadable_files_are_left_out_and_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files: dict[str, str | bytes] = {
        "p/good.py": documented("def good()"),
        "p/syntax.py": documented("def broken()") + "def (:\n",
        "p/latin.py": ("# -*- coding: latin-1 -*-\n" + documented("def café()")).encode("latin-1"),
        "p/huge.py": documented("def huge()") + "x = 1\n" * 900_000,
        "p/nul.py": documented("def nul()") + "\0",
        "p/deep.py": documented("def deep()") + "x = " + "-" * 100_000 + "1\n",
        "p/chain.py": "if x:\n    pass\n"
        + "elif x:\n    pass\n" * 900
        + f"else:\n{documented('def last()', indent='    ')}",
        "p/marked.py": b"\xef\xbb\xbf" + documented("def marked()").encode(),
        "p/surrogate.py": 'def damaged():\n    """\\ud800' + LONG + '"""\n',
        "p/tests/test_good.py": documented("def test()"),
        "p/data.bin": b"\xff\x00" * 1000,
        "../../outside.py": documented("def outside()"),
    }
    site = tmp_path / "lib" / "site"
    install(site, "p", "1", files)
    with (site / "p-1.dist-info/RECORD").open("a") as record:
        record.write("p/gone.py,,\n")
    assert len(files["p/huge.py"]) > LARGEST

    rows = rows_of(site)

    assert places(rows) == [
        "p==1/p/chain.py#last",
        "p==1/p/good.py#good",
        "p==1/p/marked.py#marked",
        "p==1/p/surrogate.py#damaged",
    ]
    assert rows[-1]["text"].startswith("\ufffdWhat")
    printed = capsys.readouterr().err
    assert printed.count("left out") == 1
    assert "5 files: 1 not UTF-8 (p/latin.py), 1 over 2 MiB (p/huge.py), 3 that cannot be parsed (p/deep.py)" in printed
    assert "gone.py" not in printed


def test_nothing_is_imported(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    effect = f'"""{LONG}"""\nimport pathlib\npathlib.Path({str(trace)!r}).touch()\n'
    install(tmp_path / "site", "effectful", "1", {"effectful/__init__.py": effect, "effectful/part.py": effect})

    assert len(rows_of(tmp_path / "site")) == 2

    assert not trace.exists()
    assert "effectful" not in sys.modules


def test_the_rows_do_not_depend_on_the_file_system(tmp_path: Path) -> None:
    files = {f"p/{name}.py": documented(f"def {name}()") for name in "bca"} | {"p/LICENSE": LONG}
    for site, names, order in ((tmp_path / "here", "xy", 1), (tmp_path / "there", "yx", -1)):
        for name in names:
            install(site, name, "1", dict(list(files.items())[::order]), description=LONG)

    one, again, two = (
        pa.Table.from_batches(parse("installed-docs", [str(tmp_path / site)]).batches())
        for site in ("here", "here", "there")
    )

    assert one.equals(again)
    assert one.equals(two)
    assert places(one.to_pylist())[:5] == [
        "x==1/METADATA", "x==1/p/LICENSE", "x==1/p/a.py#a", "x==1/p/b.py#b", "x==1/p/c.py#c",
    ]  # fmt: skip


def test_the_revision_follows_names_and_versions(tmp_path: Path) -> None:
    for site, version in (("one", "1"), ("same", "1"), ("newer", "2")):
        install(tmp_path / site, "p", version, {})
    install(tmp_path / "more", "p", "1", {})
    install(tmp_path / "more", "q", "1", {})

    one, same, newer, more = (
        parse("installed-docs", [str(tmp_path / site)]).revision for site in ("one", "same", "newer", "more")
    )

    assert one == same
    assert len({one, newer, more}) == 3
    assert parse("installed-docs:P", [str(tmp_path / "more")]).revision == one


def test_the_first_package_on_the_search_path_counts(tmp_path: Path) -> None:
    install(tmp_path / "first", "p", "1", {"p.py": documented("def one()")})
    install(tmp_path / "second", "p", "2", {"p.py": documented("def two()")})
    (tmp_path / "second" / "remains-3.dist-info").mkdir()

    source = parse("installed-docs", [str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "none")])

    assert places([row for batch in source.batches() for row in batch.to_pylist()]) == ["p==1/p.py#one"]


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("License-Expression: MIT AND BSD-3-Clause\nLicense: other\n", "MIT AND BSD-3-Clause"),
        ("License: Apache 2.0\nClassifier: License :: OSI Approved :: MIT License\n", "Apache 2.0"),
        (f"License: MIT\n        {LONG}\nClassifier: License :: OSI Approved :: MIT License\n", "MIT License"),
        ("License: UNKNOWN\nClassifier: Topic :: Text\n", None),
        ("", None),
    ],
)
def test_the_licence_is_named_and_not_quoted(tmp_path: Path, head: str, licence: str | None) -> None:
    install(tmp_path, "p", "1", {"COPYING.txt": LONG}, head=head)

    assert [(row["kind"], row["license"]) for row in rows_of(tmp_path)] == [("licence", licence)]


def test_many_documents_are_read_in_batches(tmp_path: Path) -> None:
    install(tmp_path, "p", "1", {"p.py": "".join(documented(f"def f{number}()") for number in range(ROWS + 100))})

    assert [batch.num_rows for batch in parse("installed-docs", [str(tmp_path)]).batches()] == [ROWS, 100]


def test_a_missing_package_is_refused_with_similar_names() -> None:
    with pytest.raises(InputError, match=r"'plugy' is installed.*Similar names that are installed: pluggy"):
        open_source("installed-docs:iniconfig,plugy")
    with pytest.raises(InputError, match="no distribution ''"):
        open_source("installed-docs:")
