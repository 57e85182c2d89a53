"""`pyflyte run` of a mixture: it is equal to that of `assay mix`."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from checkout import Checkout

from assay.cli import main
from assay.storage import write_snapshot


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("run"), tiny_encoder)


@pytest.mark.full
@pytest.mark.parametrize("topic", ["topic", ""])
def test_the_mixture_is_that_of_the_command_line(checkout: Checkout, tmp_path: Path, topic: str) -> None:
    """Without a topic, footers have the counts of the first pass, whose map is then empty."""
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "id": [f"d{n}" for n in range(500)],
            "text": [f"Document {n}." for n in range(500)],
            "edu": random.normal(2, 1, 500),
            "topic": random.choice(["code", "law"], 500).tolist(),
        }
    )
    write_snapshot(tmp_path / "corpus", table.to_batches(), provenance={"sources": []})
    scores = ["--output", str(tmp_path / "scores"), "--rows-per-part", "100"]
    assert main(["score", str(tmp_path / "corpus"), "--from-column", "edu", *scores]) == 0
    wish = {"source": str(tmp_path / "corpus"), "quality": "column:edu", "token_budget": "3000", "topic": topic}
    given = [word for name, value in wish.items() if value for word in (f"--{name}", value)]
    places = ["--scores", str(tmp_path / "scores"), "--output", str(tmp_path / "flyte")]
    options = ["--options", "{least_bin: 5, discard: 0.2}", "--materialise", "stream", "--workers", "3"]

    process = checkout.launch("mixing.py", "mix_corpus", *given, *places, *options)
    out, err = process.communicate(timeout=600)

    assert process.returncode == 0, out[-3000:] + err[-3000:]
    assert "mixture of" in out
    more = ["--topic", topic] if topic else []
    command = ["mix", str(tmp_path / "corpus"), "--quality", "column:edu", "--token-budget", "3000", *more]
    command += ["--least-bin", "5", "--discard", "0.2", "--materialise", "stream"]
    assert main([*command, "--scores", str(tmp_path / "scores"), "--output", str(tmp_path / "shell")]) == 0
    assert tree(tmp_path / "flyte") == tree(tmp_path / "shell")
