"""The commands of `assay` in README and docs/ are run as they stand, page by page, on the sample and a tiny encoder."""

import json
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from commands import CLUSTER, PAGES, blocks, commands

from assay.cli import main
from assay.registry import Registry
from assay.storage import Snapshot

ROOT = Path(__file__).resolve().parents[2]
NOT_HERE = ("s3://", "gs://", "kubernetes", "hf://")
"""Words of a command that needs a bucket or a cluster: it is parsed alone."""
ELSEWHERE = ("annotate", "draw", "dispute", "mix", "--canary-share", "--from-column")
"""Words of commands that want a judge, a corpus of topics or traffic: tests/assay/annotation, mixture, scoring and
canary run them with such."""
STATUSES = {
    "challenge": (0, 1),
    "watch": (0, 1),
    "audit": (0, 1),
    "snapshot diff": (0, 1),
    "registry promote": (0, 2),  # a verdict that refuses promotes nothing
}
"""Commands whose status other than 0 is an answer."""
SMALL = {"256": "48", "0.99": "0.9"}
"""Settings for the tiny encoder, and for a corpus of 258 documents, which cannot promise more."""
HEAD = ["--no-learning-curve", "--no-refit"]
SMALLER = ["--encoder", "TINY", "--window-tokens", "48", "--epochs", "1", "--least-updates", "0", *HEAD]
"""What is added to a training of an encoder: the tiny one, which reads 128 tokens at most, and one pass over labels."""


def shown(page: Path) -> list[list[str]]:
    """Return the commands of `assay` on a page, in its order, that need neither bucket nor cluster."""
    found = [
        words
        for block in blocks(page)
        if CLUSTER not in block.info and block.language
        for words in commands(block.text)
    ]
    found = [words[1:] for words in found if words[0] == "assay" and "…" not in words]
    found = [words for words in found if not any(mark in word for word in words for mark in NOT_HERE)]
    # A training on what `annotate` wrote goes with it.
    return [words for words in found if not set(ELSEWHERE) & set(words) and "labels" not in words]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sample: list[dict], tiny_encoder: Path) -> Iterator[Path]:
    """Return a working directory with the files that the pages speak of, made from the sample."""
    folder = tmp_path_factory.mktemp("home")
    table = pd.DataFrame(sample)
    table = table.assign(
        score=table["label"], legal=table["label"], domain=table["topic"], by=["people", "judge"] * (len(table) // 2)
    )
    names = {"labels": slice(0, 240), "education": slice(0, 200), "others": slice(0, 200)}
    names |= {"legal": slice(100, 300), "other-labels": slice(240, None), "test-set": slice(300, None)}
    for name, rows in names.items():
        table[rows].to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "crawl").mkdir()
    # Longer than what the filters of FineWeb drop, and each another text.
    texts = [f"{row['text']}\n\n{other['text']}" for row, other in pairwise(sample[:260])]
    pd.DataFrame({"id": [f"d{n}" for n in range(len(texts))], "text": texts}).to_json(
        folder / "crawl" / "pages.jsonl", orient="records", lines=True
    )
    (folder / "benchmarks-texts").mkdir()
    (folder / "benchmarks-texts" / "questions.txt").write_text("Which planet is the largest of the solar system?\n" * 3)
    shutil.copytree(ROOT / "configs", folder / "configs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ASSAY_WORK", str(folder / "work"))
        patch.setenv("ASSAY_SERVE_LOG", str(folder / "work" / "score-log"))
        for name in ("ASSAY_REGISTRY", "ASSAY_SCORES"):
            patch.delenv(name, raising=False)
        for number, name in enumerate(("old", "new")):
            run(["snapshot", "build", "crawl/", "--output", name, "--preset", "none"], tiny_encoder)
            (folder / "crawl" / f"more-{number}.jsonl").write_text(
                json.dumps({"id": f"m{number}", "text": "more"}) + "\n"
            )
        # A champion of before, so that there is one to go back to.
        run(["train", "--data", "labels.parquet", "--seed", "1", "--output", "first"], tiny_encoder)
        run(["registry", "add", "first"], tiny_encoder)
        run(["train", "--data", "labels.parquet", "--output", "champion-folder"], tiny_encoder)
        run(["registry", "add", "champion-folder"], tiny_encoder)
        run(["registry", "promote", "VERSION", "--in-spite-of-gate", "a test", "--why", "a test"], tiny_encoder)
        run(["snapshot", "build", "crawl/", "--output", "corpus", "--preset", "none"], tiny_encoder)
        shutil.copytree(folder / "corpus", folder / "whole")
        run(["score", "corpus/", "--output", "old-scores/"], tiny_encoder)
        run(["score", "corpus/", "--output", "new-scores/"], tiny_encoder)
        run(["select", "corpus/", "--scores", "new-scores/", "--share", "0.1", "--output", "selected"], tiny_encoder)
        shown_id = next(Snapshot.open(folder / "selected").batches(["id"]))["id"][0].as_py()
        (folder / "ids.txt").write_text(f"{shown_id}\n")
        yield folder
        main(["deployment", "stop"])


def run(words: list[str], encoder: Path) -> None:
    """Run a command, with a tiny encoder in place of the packaged one, over what an earlier command left."""
    words = [SMALL.get(word, word) for word in words]
    if words[0] == "train" and "lexical" not in words:
        smaller = HEAD if "head" in words else [str(encoder) if word == "TINY" else word for word in SMALLER]
        words = [*words, *smaller]
    if words[:2] == ["registry", "add"]:
        words = [*words, "--promote-refused", "a test of the pages"]
    status = main([word.replace("VERSION", latest()) if "VERSION" in word else word for word in words])
    allowed = STATUSES.get(words[0]) or STATUSES.get(" ".join(words[:2])) or (0,)
    assert status in allowed, " ".join(words)


def latest() -> str:
    """Return the version that was registered last and is not champion."""
    registry = Registry(str(Path(os.environ["ASSAY_WORK"]) / "registry"))
    champion = registry.get("champion").name
    return [version.name for version in registry.versions() if version.name != champion][-1]


def prepared(words: list[str], home: Path) -> None:
    """Remove what the command would write: each page begins anew."""
    if "--output" in words:
        output = home / words[words.index("--output") + 1]
        if output.is_dir():
            shutil.rmtree(output)
        elif output.exists():
            output.unlink()


@pytest.mark.full
@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run(
    page: Path, home: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if page.name == "serving.md":  # what a rollback goes back to
        run(["deploy", "previous"], tiny_encoder)
    if page.name == "watching.md":  # another page may have moved the champion
        for folder in ("old-scores/", "new-scores/"):
            run(["score", "corpus/", "--output", folder], tiny_encoder)
    for words in shown(page):
        prepared(words, home)
        if words == ["audit", "audit/"]:  # the page asks people to fill the column before
            sheet = pd.read_csv(home / "audit" / "to-label.csv", dtype=str)
            sheet.assign(label=[str(number % 6) for number in range(len(sheet))]).to_csv(
                home / "audit" / "to-label.csv", index=False
            )
        run(words, tiny_encoder)
        if words[:2] == ["snapshot", "build"]:
            # FineWeb's filters leave a tenth of these documents, too few for the commands that follow.
            shutil.rmtree(home / "corpus")
            shutil.copytree(home / "whole", home / "corpus")
