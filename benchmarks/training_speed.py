"""Compare the time of an update in bf16 with that in fp32, in turn on one machine.

    python -m benchmarks.training_speed [--repeats 5]

Prints the median seconds of an update of 16 documents of 256 tokens, and the median of the paired ratios.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.model import ModelInfo
from assay.rubric import load_rubric
from assay.training import TrainConfig, recipe
from assay.training.loop import fit

ROOT = Path(__file__).resolve().parents[1]


def seconds(config: TrainConfig, texts: list[str], labels: np.ndarray) -> float:
    """Return the median seconds of an update, without the first one, which warms up."""
    info = ModelInfo(config.encoder, load_rubric("education"), config.windows)
    history = fit(texts, labels, info, config).history
    return statistics.median(record["seconds"] for record in history[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rows = [json.loads(line) for line in (ROOT / "data/sample/documents.jsonl").read_text().splitlines()]
    rows = sorted(rows, key=lambda row: -len(row["text"]))[:64]
    texts, labels = [row["text"] for row in rows], np.array([row["label"] for row in rows], dtype=float)
    plain = recipe("quickstart", epochs=1)
    variants = {
        "fp32": plain,
        "bf16": replace(plain, precision="bf16"),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    # In turn, so that other load on the machine affects both alike.
    for _ in range(repeats):
        for name, config in variants.items():
            times[name].append(seconds(config, texts, labels))
            time.sleep(0.5)
    for name, measured in times.items():
        ratios = [value / base for value, base in zip(measured, times["fp32"], strict=True)]
        print(f"| {name} | {statistics.median(measured):.2f} s | {statistics.median(ratios):.2f} |")


if __name__ == "__main__":
    main()
