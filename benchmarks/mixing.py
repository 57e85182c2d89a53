"""Time and memory of a mixture: scores from columns, then mixtures of one score by topic and of two scores joined.

    python -m benchmarks.mixing --rows 1000000 --output work/mixing

The documents are made, and short: a mixture reads scores, ids and the column of the topic, never a text. Each step is a
process of its own, and its memory is the largest resident set of that process. `import` is the first line of the table:
a process that imports the command and ends.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from assay.storage import write_snapshot

TOPICS = np.array(["science", "law", "code", "games"])
SHARES = (0.2, 0.1, 0.3, 0.4)
STEP = 5_000


def documents(rows: int) -> Iterator[pa.RecordBatch]:
    """Yield documents with two scores, tokens and a topic."""
    random = np.random.default_rng(0)
    for first in range(0, rows, STEP):
        count = min(STEP, rows - first)
        topic = random.choice(len(TOPICS), count, p=SHARES)
        edu = np.clip(random.normal(1.5 + 0.5 * (topic == 0), 0.9, count), 0, 5)
        yield pa.record_batch(
            {
                "id": [f"doc-{first + at:09d}" for at in range(count)],
                "text": pa.array([f"Document {first + at}." for at in range(count)], pa.large_string()),
                "topic": TOPICS[topic].tolist(),
                "edu": edu,
                "legal": np.clip(edu / 2 + random.normal(1, 0.8, count), 0, 5),
                "token_count": random.integers(50, 2_000, count),
            }
        )


def timed(command: list[str]) -> tuple[float, float, float]:
    """Run a command of `assay`. Return its seconds, its CPU seconds, and its largest resident set in MiB."""
    started = time.monotonic()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "assay", *command], {**os.environ})
    _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Make the corpus, run the steps, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, default=Path("work/mixing"))
    given = parser.parse_args()
    corpus, scores = str(given.output / "corpus"), str(given.output / "scores")
    write_snapshot(corpus, documents(given.rows), provenance={"sources": []}, replace=True)
    budget = str(given.rows * 1_000)
    column = ["--token-column", "token_count", "--output", scores, "--rows-per-part", "20000"]
    mix = ["mix", corpus, "--scores", scores, "--token-budget", budget]
    topic = ["--topic", "topic", "--topic-share", "science=0.4", "--topic-cap", "games=0.2"]
    steps = {
        "import": ["mix", "--help"],
        "scores from `edu`": ["score", corpus, "--from-column", "edu", *column],
        "scores from `legal`": ["score", corpus, "--from-column", "legal", *column],
        "mix, one score": [*mix, "--quality", "column:edu", "--output", str(given.output / "one")],
        "mix, one score by topic": [*mix, "--quality", "column:edu", *topic, "--output", str(given.output / "topic")],
        "mix, two scores joined": [
            *mix, "--quality", "column:edu", "--quality", "column:legal", *topic, "--output", str(given.output / "two")
        ],
        "the same, with the stream": [
            *mix, "--quality", "column:edu", "--quality", "column:legal", *topic,
            "--output", str(given.output / "two"), "--materialise", "stream",
        ],
    }  # fmt: skip
    lines = []
    for name, command in steps.items():
        seconds, computed, memory = timed(command)
        lines.append(f"| {name} | {seconds:.0f} | {computed:.0f} | {memory:,.0f} |")
    print(f"\n{given.rows:,} documents\n\n| step | seconds | CPU seconds | MiB |\n|---|---|---|---|", *lines, sep="\n")


if __name__ == "__main__":
    main()
