"""A secret in the URL of a source reaches no file and no message."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.cli.main import main
from assay.errors import InputError, without_secrets
from assay.progress import say
from assay.sources import Columns, open_corpus, open_source
from tasks.support.settings import source_location


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://anna:pa55@example.org/a.jsonl", "https://…@example.org/a.jsonl"),
        ("https://t0ken@example.org/a.jsonl", "https://…@example.org/a.jsonl"),
        ("s3://key:pa55@bucket/a", "s3://…@bucket/a"),
        ("https://example.org/a.jsonl?X-Amz-Signature=pa55&x=1", "https://example.org/a.jsonl?…"),
        (
            "az://c/a.parquet?sig=pa55 is missing, 'https://e.org/?k=pa55' too",
            "az://c/a.parquet?… is missing, 'https://e.org/?…' too",
        ),
        ("abfs://container@account.dfs.example.net/a", "abfs://container@account.dfs.example.net/a"),
        ("s3://bucket/what?.parquet and a@b.org?c=d", "s3://bucket/what?.parquet and a@b.org?c=d"),
    ],
)
def test_secrets_in_urls_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert "pa55" not in str(InputError(text, where=text, fix=text))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A real HTTP server of one file."""
    folder = tmp_path / "served"
    folder.mkdir()
    rows = [{"id": f"d{n}", "text": f"Plants drink through root number {n}, and water climbs."} for n in range(9)]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.jsonl"
    server.shutdown()
    server.server_close()


def test_a_signed_url_is_a_source_and_its_signature_is_in_no_file(
    served: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    url, output, pieces = f"{served}?Signature=pa55w0rd", tmp_path / "out", tmp_path / "pieces"

    code = main(["snapshot", "build", url, "--output", str(output), "--pieces", str(pieces), "--processes", "1"])
    copy = open_corpus(url, Columns(), str(tmp_path / "work"))

    assert code == 0
    assert copy.manifest.rows == 9
    assert copy.manifest.provenance["sources"][0]["uri"] == f"{served}?…"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 8
    assert not [path for path in written if b"pa55w0rd" in path.read_bytes()]
    assert main(["snapshot", "build", f"{served}x?Signature=pa55w0rd", "--output", str(tmp_path / "no")]) == 2
    said = capfd.readouterr()
    assert "pa55w0rd" not in said.out + said.err
    assert open_source(url).revision == open_source(f"{served}?Signature=another").revision


def test_a_line_of_progress_shows_no_secret(capsys: pytest.CaptureFixture) -> None:
    say("https://anna:pa55@example.org/a.jsonl, revision 1")

    assert capsys.readouterr().err == "  https://…@example.org/a.jsonl, revision 1\n"


def test_workflows_refuse_a_source_with_a_secret() -> None:
    with pytest.raises(InputError, match="which Flyte would store"):
        source_location("https://example.org/a.jsonl?sig=pa55")
