"""Measure scoring whole, from Parquet to Parquet, beside what others would run, and what the machine allows.

    python -m benchmarks.scoring --data FOLDER [--documents 300] [--repeats 3] [--model FOLDER --cheap FOLDER]

FOLDER has Parquet files with a column `text`. Without `--model`, the model is the packaged encoder with a new head,
which costs as much as a trained one: 512 tokens of each document are read. With `--cheap`, a lexical model, its speed
and its agreement with the full one are measured too.

All commands run in turn, each as a process of its own; each is run on eight documents, too, and the difference gives
the rate without the start, which a large corpus pays once. The loop takes texts in their order, padded to the longest
of their batch, as the script of FineWeb-Edu does; the sorted loop is that of sentence-transformers' `encode`.
"""

import argparse
import itertools
import resource
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
from benchmarks.simulated import processor

FEW = 8
"""Documents of the run that measures the start."""
COPIES = 20
"""Copies of each document, with other beginnings, in the corpus of the cheap model, which is too fast for the other."""
LOOP = """
import sys
import pandas as pd, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model, source, output, batch, tokens, order = sys.argv[1:7]
batch, tokens, ordered = int(batch), int(tokens), order == "sorted"
network = AutoModelForSequenceClassification.from_pretrained(model, trust_remote_code=False).eval()
tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
table = pd.read_parquet(source)
order = table["text"].str.len().sort_values(ascending=False).index if ordered else table.index
scores = {}
for start in range(0, len(table), batch):
    rows = order[start : start + batch]
    texts = table["text"].loc[rows].tolist()
    given = tokenizer(texts, return_tensors="pt", padding="longest", truncation=True, max_length=tokens)
    with torch.no_grad():
        scores.update(zip(rows, network(**given).logits[:, 0].float().tolist()))
table.assign(score=pd.Series(scores)).to_parquet(output)
"""


@dataclass
class Row:
    """One way to score, and its runs."""

    name: str
    command: list[str]
    """Arguments of Python; {corpus}, {output} and {part} stand for the places and for the rows of a part."""
    large: bool = False
    """True if it reads the corpus of copies."""
    starts: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    scores: pd.Series | None = None

    def run(self, corpus: Path, output: Path) -> float:
        """Run it once, and return its seconds."""
        rows = max(1, pq.ParquetFile(corpus).metadata.num_rows // 8)
        places = {"{corpus}": str(corpus), "{output}": str(output), "{part}": str(rows)}
        given = [places.get(part, part) for part in self.command]
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-W", "ignore", *given], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{self.name}: {done.stderr[-2000:]}")
        return time.monotonic() - started

    def rates(self, documents: int) -> list[float]:
        """Return the documents a second of each run, without the start."""
        start = min(self.starts)
        return [(documents - FEW) / max(one - start, 1e-9) for one in self.seconds]


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


def rows_of(model: Path, cheap: Path | None, window: int) -> list[Row]:
    """Return everything that is measured."""
    score = ["-m", "assay", "score", "{corpus}", "--output", "{output}", "--rows-per-part", "{part}"]
    loop = ["-c", LOOP, str(model), "{corpus}", "{output}"]
    rows = [
        Row(f"a plain loop, batches of {batch}", [*loop, str(batch), str(window), "plain"]) for batch in (16, 64, 256)
    ]
    rows.append(Row("a loop over sorted texts, batches of 32", [*loop, "32", str(window), "sorted"]))
    counts = sorted({1, usable_cores()})
    for count in counts:
        rows.append(Row(f"assay score --processes {count}", [*score, "--model", str(model), "--processes", str(count)]))
    if cheap:
        for count in counts:
            given = [*score, "--model", str(cheap), "--processes", str(count)]
            rows.append(Row(f"the cheap model, --processes {count}", given, large=True))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files with a column text")
    parser.add_argument("--documents", type=int, default=300, help="documents of the corpus (default: 300)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: 3)")
    parser.add_argument("--model", type=Path, help="model folder; without it, the packaged encoder with a new head")
    parser.add_argument("--cheap", type=Path, help="folder of a lexical model")
    options = parser.parse_args()
    batches = (pq.ParquetFile(file).iter_batches(columns=["text"]) for file in sorted(options.data.rglob("*.parquet")))
    texts = [text for batch in itertools.chain(*batches) for text in batch["text"].to_pylist()][: options.documents]
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        model = options.model or make_model(here / "model", texts[:60])
        window = ModelInfo.read(model).windows.tokens
        corpora = {"few": texts[:FEW], "plain": texts}
        if options.cheap:
            corpora["large"] = [f"{copy} {text}" for copy in range(COPIES) for text in texts]
        for name, some in corpora.items():
            table = pd.DataFrame({"id": [str(number) for number in range(len(some))], "text": some})
            table.to_parquet(here / f"{name}.parquet")
        rows = rows_of(model, options.cheap, window)
        for turn in range(options.repeats):
            for number, row in enumerate(rows):
                row.starts.append(row.run(here / "few.parquet", here / f"few-{turn}-{number}"))
                output = here / f"{turn}-{number}"
                row.seconds.append(row.run(here / f"{'large' if row.large else 'plain'}.parquet", output))
                row.scores = scores_of(output)
        print(
            f"Processor: {processor()}; {usable_cores()} cores. {len(texts)} documents, {options.repeats} runs in turn."
        )
        print("".join(f"- {line}\n" for line in limits(texts, here / "plain.parquet", window)))
    best = max(rows[:3], key=lambda row: statistics.median(row.rates(len(texts))))
    print(
        "| run | documents a second without the start (median; least, most) | start, s | beside the best plain loop |"
    )
    print("|---|---|---|---|")
    for row in rows:
        count = len(texts) * (COPIES if row.large else 1)
        rates = sorted(row.rates(count))
        ratio = statistics.median(a / b for a, b in zip(row.rates(count), best.rates(len(texts)), strict=True))
        print(
            f"| {row.name} | {statistics.median(rates):,.1f} ({rates[0]:,.1f}, {rates[-1]:,.1f}) | "
            f"{min(row.starts):.1f} | {ratio:.2f} |"
        )
    full = rows[4].scores
    assert full is not None and rows[0].scores is not None
    kept = max(1, len(texts) // 10)
    for row in (rows[0], *[row for row in rows if row.large][:1]):
        assert row.scores is not None
        other = row.scores.loc[full.index]
        same = len({*full.nlargest(kept).index} & {*other.nlargest(kept).index}) / kept
        print(
            f"\n{row.name} and assay score: rank correlation {full.corr(other, method='spearman'):.4f}, "
            f"{same:.1%} of the best tenth are the same."
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nPeak memory of one process: {peak:,.0f} MiB.")


if __name__ == "__main__":
    main()
