"""Measure scoring whole, from Parquet to Parquet, beside what others would run, and what the machine allows.

    python -m benchmarks.scoring --data FOLDER [--documents 300] [--repeats 3] [--model FOLDER --cheap FOLDER]
        [--labels FILE] [--rivals FOLDER] [--only WORD …]

FOLDER has Parquet files with a column `text`. Without `--model`, the model is the packaged encoder with a new head,
which costs as much as a trained one: 512 tokens of each document are read. With `--cheap`, a lexical model, its speed
and its agreement with the full one are measured too. With `--labels`, a Parquet file with `text` and `label`, such as
that of `assay distil`, cheap models of other makes are trained first, and documents with a label are left out.

All commands run in turn, each as a process of its own; each is run on eight documents, too, and the difference gives
the rate without the start, which a large corpus pays once. What the others are is told in benchmarks/rivals.py; those
whose packages are not in the folder `--rivals` are left out.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from assay.inference import Scorer, write_golden
from assay.model import PACKAGED, Calibration, ModelInfo, Windows, new_model, save_model
from assay.parallel import usable_cores
from assay.rubric import load_rubric
from benchmarks.rivals import LEARNED, PACKAGES
from benchmarks.simulated import processor

FEW = 8
"""Documents of the run that measures the start."""
RIVALS = ["-m", "benchmarks.rivals"]
COPIES = 300
"""Copies of each document, with other beginnings, in the corpus of the cheap model, which is too fast for the other."""


@dataclass
class Row:
    """One way to score, and its runs."""

    name: str
    command: list[str]
    """Arguments of Python; {corpus}, {output} and {part} stand for the places and for the rows of a part."""
    large: bool = False
    """True if it reads the corpus of copies."""
    packages: Path | None = None
    """Folder of packages beside those of the lock."""
    starts: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: float = 0.0
    """Most memory of one of its processes, in MiB."""
    scores: pd.Series | None = None

    def run(self, corpus: Path, output: Path) -> float:
        """Run it once, and return its seconds."""
        # Many parts, as of a large corpus: else one process waits long for the last part of another.
        rows = max(1, pq.ParquetFile(corpus).metadata.num_rows // 24)
        places = {"{corpus}": str(corpus), "{output}": str(output), "{part}": str(rows)}
        given = [places.get(part, part) for part in self.command]
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as said:
            command = [sys.executable, "-W", "ignore", *given]
            process = subprocess.Popen(command, stdout=said, stderr=said, env=environment(self.packages))
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                raise SystemExit(f"{self.name}: {said.read()[-2000:]}")
        self.memory = max(self.memory, used.ru_maxrss / 1024)
        return seconds

    def rates(self, documents: int) -> list[float]:
        """Return the documents a second of each run, without the start."""
        start = min(self.starts)
        return [(documents - FEW) / max(one - start, 1e-9) for one in self.seconds]


def environment(packages: Path | None) -> dict[str, str]:
    """Return the environment of a process that finds these packages, too."""
    places = [os.environ.get("PYTHONPATH", ""), str(packages or "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in places if place)}


def make_model(folder: Path, texts: list[str]) -> Path:
    """Write a calibrated model with a new head."""
    info = ModelInfo(PACKAGED, load_rubric("education"), Windows(512, 1))
    scorer = Scorer(new_model(info, seed=0))
    scores, labels = scorer.read(texts).score, np.resize([0.0, 5.0, 2.0], len(texts))
    calibration = Calibration.fit(scores, labels, low=0, high=5, threshold=3)
    scorer.model.info = ModelInfo(PACKAGED, info.rubric, info.windows, languages=("en",), calibration=calibration)
    folder.mkdir()
    save_model(scorer.model, folder)
    write_golden(scorer, [str(number) for number in range(len(texts))], texts, folder)
    return folder


def scores_of(output: Path) -> pd.Series:
    """Return the scores by id, from a file or from a folder of parts."""
    files = [output] if output.is_file() else sorted(output.glob("*/rows-*.parquet"))
    table = pd.concat([pd.read_parquet(file, columns=["id", "score"]) for file in files])
    return table.set_index("id")["score"]


def limits(texts: list[str], corpus: Path, tokens: int) -> list[str]:
    """Return what the machine can do: matrix products, the tokenizer and Parquet."""
    import torch
    from transformers import AutoTokenizer

    from assay.model import locate_encoder

    lines = []
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        left, right = torch.randn(1_024, 384).to(kind), torch.randn(384, 1_536).to(kind)
        left @ right
        started, times = time.monotonic(), 0
        while time.monotonic() - started < 1.0:
            left @ right
            times += 1
        rate = times * 2 * 1_024 * 384 * 1_536 / (time.monotonic() - started) / 1e9
        lines.append(f"matrix products (1024 x 384 x 1536) in {name}: {rate:,.0f} GFLOP/s")
    tokenizer = AutoTokenizer.from_pretrained(locate_encoder(PACKAGED)[0], trust_remote_code=False)
    started = time.monotonic()
    lengths = [min(len(ids), tokens - 2) + 2 for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    size = sum(len(text.encode()) for text in texts) / 1e6
    lines.append(f"tokenizer: {size / (time.monotonic() - started):,.1f} MB/s")
    started = time.monotonic()
    pq.read_table(corpus)
    lines.append(f"Parquet: {corpus.stat().st_size / 1e6 / (time.monotonic() - started):,.0f} MB/s of the file")
    # Six layers of MiniLM: four products of hidden x hidden and two of hidden x 4 hidden, and the two of attention.
    each = [6 * (2 * n * (4 * 384**2 + 8 * 384**2) + 4 * n * n * 384) for n in lengths]
    lines.append(
        f"a document has {np.mean(lengths):.0f} tokens in the window: {np.mean(each) / 1e9:.1f} GFLOP by MiniLM"
    )
    return lines


def rows_of(model: Path, cheap: Path | None, others: dict[str, Path], window: int, packages: Path | None) -> list[Row]:
    """Return everything that is measured. `others`: cheap models of other makes, by their kind."""

    def rival(kind: str, folder: Path, name: str, *, large: bool = False) -> Row:
        return Row(name, [*RIVALS, "score", kind, str(folder), "{corpus}", "{output}", str(window)], large, packages)

    score = ["-m", "assay", "score", "{corpus}", "--output", "{output}", "--rows-per-part", "{part}"]
    rows = [rival(f"loop-{batch}", model, f"a plain loop, batches of {batch}") for batch in (16, 64, 256)]
    rows.append(rival("sorted", model, "a loop over sorted texts, batches of 32"))
    if _installed("sentence-transformers", packages):
        rows.append(rival("sentence-transformers", model, "sentence-transformers, encode, batches of 32"))
    counts = sorted({1, usable_cores()})
    for count in counts:
        rows.append(Row(f"assay score --processes {count}", [*score, "--model", str(model), "--processes", str(count)]))
    for kind, folder in others.items():
        rows.append(rival(kind, folder, f"{kind}, one process", large=True))
    if cheap:
        for count in counts:
            given = [*score, "--model", str(cheap), "--processes", str(count)]
            rows.append(Row(f"the cheap model, --processes {count}", given, large=True))
    return rows


def _installed(kind: str, packages: Path | None) -> bool:
    return bool(packages and (packages / PACKAGES[kind]).is_dir())


def trained(labels: Path | None, here: Path, packages: Path | None) -> dict[str, Path]:
    """Train the cheap models of other makes that are installed."""
    found = {}
    for kind in [kind for kind in LEARNED if labels and _installed(kind, packages)]:
        found[kind] = here / kind
        command = [sys.executable, "-W", "ignore", *RIVALS, "train", kind, str(labels), str(here / kind)]
        subprocess.run(command, check=True, capture_output=True, env=environment(packages))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files with a column text")
    parser.add_argument("--documents", type=int, default=300, help="documents of the corpus (default: 300)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: 3)")
    parser.add_argument("--model", type=Path, help="model folder; without it, the packaged encoder with a new head")
    parser.add_argument("--cheap", type=Path, help="folder of a lexical model")
    parser.add_argument("--labels", type=Path, help="Parquet file with labels, from which other cheap models learn")
    parser.add_argument("--only", nargs="+", default=[""], help="words of which a row's name must have one")
    parser.add_argument("--rivals", type=Path, help="folder of the packages that others need")
    options = parser.parse_args()
    batches = (pq.ParquetFile(file).iter_batches(columns=["text"]) for file in sorted(options.data.rglob("*.parquet")))
    known = set(pd.read_parquet(options.labels, columns=["text"])["text"]) if options.labels else set()
    every = (text for batch in itertools.chain(*batches) for text in batch["text"].to_pylist() if text not in known)
    texts = list(itertools.islice(every, options.documents))
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        model = options.model or make_model(here / "model", texts[:60])
        window = ModelInfo.read(model).windows.tokens
        corpora = {"few": texts[:FEW], "plain": texts}
        if options.cheap or options.labels:
            corpora["large"] = [f"{copy} {text}" for copy in range(COPIES) for text in texts]
        for name, some in corpora.items():
            table = pd.DataFrame({"id": [str(number) for number in range(len(some))], "text": some})
            table.to_parquet(here / f"{name}.parquet")
        others = trained(options.labels, here, options.rivals)
        rows = rows_of(model, options.cheap, others, window, options.rivals)
        rows = [row for row in rows if any(word in row.name for word in options.only)]
        for turn in range(options.repeats):
            for number, row in enumerate(rows):
                if turn < 2:  # the least of two runs: a start is the same each time, but for chance
                    row.starts.append(row.run(here / "few.parquet", here / f"few-{turn}-{number}"))
                output = here / f"{turn}-{number}"
                row.seconds.append(row.run(here / f"{'large' if row.large else 'plain'}.parquet", output))
                row.scores = scores_of(output)
        print(
            f"Processor: {processor()}; {usable_cores()} cores. {len(texts)} documents, {options.repeats} runs in turn."
        )
        print("".join(f"- {line}\n" for line in limits(texts, here / "plain.parquet", window)))
    best = max(
        [row for row in rows if "plain loop" in row.name], key=lambda row: statistics.median(row.rates(len(texts)))
    )
    print(
        "| run | documents a second without the start (median; least, most) | beside the best loop | start, s | MiB |"
    )
    print("|---|---|---|---|---|")
    for row in rows:
        count = len(texts) * (COPIES if row.large else 1)
        rates = sorted(row.rates(count))
        ratio = statistics.median(a / b for a, b in zip(row.rates(count), best.rates(len(texts)), strict=True))
        print(
            f"| {row.name} | {statistics.median(rates):,.1f} ({rates[0]:,.1f}, {rates[-1]:,.1f}) | {ratio:.2f} | "
            f"{min(row.starts):.1f} | {row.memory:,.0f} |"
        )
    full = next(row.scores for row in rows if row.name.startswith("assay score"))
    assert full is not None
    kept = max(1, len(texts) // 10)
    print("\n| run | rank correlation to assay score | of the best tenth, the same |\n|---|---|---|")
    for row in rows:
        assert row.scores is not None
        other = row.scores.loc[full.index]
        same = len({*full.nlargest(kept).index} & {*other.nlargest(kept).index}) / kept
        print(f"| {row.name} | {full.corr(other, method='spearman'):.4f} | {same:.1%} |")


if __name__ == "__main__":
    main()
