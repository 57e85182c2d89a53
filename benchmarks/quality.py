"""Measure held-out metrics of every labelled set over seeds, compared with the baselines.

    python -m benchmarks.quality --data FOLDER --output work/quality [--sets sample …] [--seeds 0 1 2]

Each run is `assay train` in a new process. A run whose model exists is not repeated. The seed changes the split, the
head and the order of documents. Prints the tables of RESULTS.md.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHOWN = ("f1", "average_precision", "qwk", "spearman", "mae", "macro_f1", "calibration_error")
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class LabelledSet:
    """Path of a set below the data folder, and the options of `assay train` for it."""

    path: str
    options: tuple[str, ...]


SETS = {
    "sample": LabelledSet("sample/documents.jsonl", ("--rubric", "education")),
    "web_pages": LabelledSet("web_pages/labels.parquet", ("--rubric", "education")),
    "onestopenglish": LabelledSet("onestopenglish", ("--group-by", "article")),
    "fineweb_edu": LabelledSet("fineweb_edu", ("--rubric", "education", "--epochs", "2", "--window-tokens", "128")),
    "fineweb_legal": LabelledSet("fineweb_legal", ("--threshold", "3", "--epochs", "1", "--window-tokens", "128")),
}
COMMON = ("--recipe", "quickstart", "--precision", "bf16")


def train(name: str, data: Path, output: Path, seed: int) -> Path:
    """Return the model folder of one run, trained if it is missing."""
    labelled, model = SETS[name], output / f"{name}-{seed}"
    if not model.exists():
        options = ["--data", str(data / labelled.path), "--output", str(model), "--seed", str(seed)]
        command = [sys.executable, "-m", "assay", "train", *options, *labelled.options, *COMMON]
        print(" ".join(command[1:]), file=sys.stderr, flush=True)
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return model


def table(models: list[Path]) -> str:
    """Return a table of mean and standard deviation over seeds of every metric, with one row for each system."""
    evaluations = [json.loads((model / "evaluation.json").read_text(encoding="utf-8")) for model in models]
    systems = ["model", *evaluations[0]["baselines"]]
    lines = ["| | " + " | ".join(SHOWN) + " |", "|---|" + "---|" * len(SHOWN)]
    for system in systems:
        cells = []
        for metric in SHOWN:
            sources = [e["metrics"] if system == "model" else e["baselines"][system] for e in evaluations]
            values = [source[metric]["value"] for source in sources if source[metric]["value"] is not None]
            cells.append(f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "–")
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    counts = ", ".join(f"{e['documents']} ({e['positive']} kept)" for e in evaluations)
    return "\n".join([*lines, "", f"Test documents of the seeds: {counts}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    for name in options.sets:
        models = [train(name, options.data, options.output, seed) for seed in options.seeds]
        print(f"### {name}\n\n{table(models)}\n", flush=True)


if __name__ == "__main__":
    main()
