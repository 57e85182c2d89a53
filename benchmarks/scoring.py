"""Measure scoring: runs of `assay score` in one process and in several, and a plain loop of transformers, in turn.

    python -m benchmarks.scoring --data FOLDER [--documents 300] [--repeats 3]

FOLDER has Parquet files with a column `text`. The model is the packaged encoder with a new head, which costs as much as
a trained one: 512 tokens of each document are read. A run is a process of its own, from its start to its last file; the
loop takes texts in their order, in batches of 16 padded to their longest text, as the script of FineWeb-Edu does.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from assay.inference import Scorer, write_golden
from assay.model import PACKAGED, Calibration, ModelInfo, Windows, new_model, save_model
from assay.parallel import usable_cores
from assay.rubric import load_rubric
from benchmarks.simulated import processor

LOOP = """
import sys
import pandas as pd, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model, source, output, batch = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
network = AutoModelForSequenceClassification.from_pretrained(model, trust_remote_code=False).eval()
tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
table, scores = pd.read_parquet(source), []
for start in range(0, len(table), batch):
    texts = table["text"][start : start + batch].tolist()
    given = tokenizer(texts, return_tensors="pt", padding="longest", truncation=True, max_length=512)
    with torch.no_grad():
        scores += network(**given).logits.squeeze(-1).float().tolist()
table.assign(score=scores).to_parquet(output)
"""


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files with a column text")
    parser.add_argument("--documents", type=int, default=300, help="documents of the corpus (default: 300)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: 3)")
    options = parser.parse_args()
    batches = (pq.ParquetFile(file).iter_batches(columns=["text"]) for file in sorted(options.data.rglob("*.parquet")))
    texts = [text for batch in itertools.chain(*batches) for text in batch["text"].to_pylist()][: options.documents]
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        model = make_model(here / "model", texts[:60])
        corpus = here / "corpus.parquet"
        pd.DataFrame({"id": [str(number) for number in range(len(texts))], "text": texts}).to_parquet(corpus)
        runs = {
            "a plain loop, batches of 16": ["-c", LOOP, str(model), str(corpus), str(here / "loop.parquet"), "16"],
            **{
                f"assay score --processes {count}": [
                    *("-m", "assay", "score", str(corpus), "--model", str(model), "--processes", str(count)),
                    *("--rows-per-part", str(max(1, len(texts) // 10))),
                ]
                for count in sorted({1, usable_cores()})
            },
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(options.repeats):
            for name, arguments in runs.items():
                output = ["--output", str(here / f"{turn}-{len(arguments)}-{name[-1]}")] if "assay" in name else []
                started = time.monotonic()
                subprocess.run([sys.executable, *arguments, *output], check=True, capture_output=True)
                seconds[name].append(time.monotonic() - started)
    print(
        f"Processor: {processor()}; {usable_cores()} cores. {len(texts)} documents, {options.repeats} runs in turn.\n"
    )
    print("| run | documents a second (median; least, most) | beside the loop |\n|---|---|---|")
    loop = seconds[next(iter(runs))]
    for name, taken in seconds.items():
        rates = sorted(len(texts) / one for one in taken)
        ratio = statistics.median(a / b for a, b in zip(loop, taken, strict=True))
        print(f"| {name} | {statistics.median(rates):.1f} ({rates[0]:.1f}, {rates[-1]:.1f}) | {ratio:.2f} |")


if __name__ == "__main__":
    main()
