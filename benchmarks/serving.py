"""Measure documents/s and latency of the service, compared with a plain FastAPI server of the same model.

    python -m benchmarks.serving --model champion [--output work/serving.json]
    python -m benchmarks.serving --model champion --soak 300

A client sends one document, waits for its score, and sends the next. Both servers run all the time and get load in
turn, never both at once. `--soak` puts load on the service only, with 1 to 8 documents of any length in a request, and
records its memory.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from assay.errors import InputError
from assay.model import ModelInfo
from assay.progress import bar, say, stage
from assay.registry import Registry
from assay.serving import Bento, ServerProcess, build_bento
from assay.storage import digest_folder, staged_file
from benchmarks.load import drive, make_body, make_texts, soak

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = (1, 8, 64)
KINDS = ("short", "long")
FIGURES = ("documents_per_second", "p50", "p95", "p99")
QUIET, TRIES = 0.2, 3
"""Cores that other processes may use while a cell is measured, and the number of tries if they use more.

Threads that wait for each other at every layer lose far more time to another process than that process uses."""
SAME = 0.02
"""Largest difference between the scores of both servers, as a share of the scale. Beyond it, the models differ."""
GOAL = 3.0
"""Goal: this many times the documents/s of the plain server at the most clients, and no higher p95 at one client."""


@contextlib.contextmanager
def packed(name: str, folder: Path) -> Iterator[Bento]:
    """Yield the Bento of a model folder, or of a version or alias of the registry."""
    if Path(name).is_dir():
        model = Path(name)
        yield build_bento(model, digest_folder(model)[:12], folder / "bento", created="2000-01-01T00:00:00+00:00")
        return
    registry = Registry(os.environ.get("ASSAY_REGISTRY", "work/registry"))
    version = registry.get(name)
    with registry.open(version.name) as model:
        yield build_bento(model, version.name, folder / "bento", created=version.created)


@contextlib.contextmanager
def plain_server(model: Path, tokens: int, log: Path) -> Iterator[str]:
    """Yield the URL of a plain server that is ready. Raise InputError with the end of its log if it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.plain_server", str(model), "--tokens", str(tokens), "--port", port]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=output, stderr=output
        )
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5):
                break
            if process.poll() is not None or time.monotonic() > until:
                end = " | ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
                raise InputError("the plain server does not start", where=url, fix=f"Its log ends: {end}")
            time.sleep(0.3)
        yield url
    finally:
        process.kill()
        process.wait()


def ask(url: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the answers to these texts, sent eight at a time."""
    answers: list[dict[str, Any]] = []
    for start in range(0, len(texts), 8):
        request = urllib.request.Request(
            f"{url}/score", make_body(texts[start : start + 8]), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answers += json.load(response)
    return answers


def clocks() -> np.ndarray:
    """Return the seconds of the clock, and the seconds of processor time of other processes."""
    machine = psutil.cpu_times()
    ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
    own = sum(sum(process.cpu_times()[:2]) for process in ours)
    return np.array([time.perf_counter(), machine.user + machine.nice + machine.system + machine.softirq - own])


def wait_until_quiet(most: float = 30.0) -> None:
    """Wait until other processes are idle for a second, or until `most` seconds have passed."""
    until, calm = time.monotonic() + most, False
    while not calm and time.monotonic() < until:
        before = clocks()
        time.sleep(1)
        elapsed, others = clocks() - before
        calm = others / elapsed <= QUIET


def measure(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> dict[str, float]:
    """Return the figures of one cell: latencies in milliseconds, and `others`, the cores that other processes used."""
    for _ in range(TRIES):
        wait_until_quiet()
        before = clocks()
        load = asyncio.run(drive(url, bodies, clients, seconds))
        elapsed, others = clocks() - before
        if load.errors or others / elapsed <= QUIET:
            break
    return {
        "documents_per_second": load.rate,
        **{f"p{percent}": load.milliseconds(percent) for percent in (50, 95, 99)},
        "requests": len(load.seconds),
        "errors": load.errors,
        "others": max(0.0, others / elapsed),
    }


def compare(servers: dict[str, str], repeats: int, seconds: float, worst: float, at: Sequence[int]) -> dict[str, Any]:
    """Return the measurements of both servers in every cell. Their order changes with each repeat."""
    texts = {kind: make_texts(kind) for kind in KINDS}
    bodies = {kind: [make_body([text]) for text in texts[kind]] for kind in KINDS}
    reading: dict[str, float] = {}
    for kind in KINDS:
        plain, ours = (ask(servers[name], texts[kind][:64]) for name in ("plain", "assay"))
        gap = max(abs(a["score"] - b["score"]) for a, b in zip(plain, ours, strict=True))
        say(f"{kind} documents: scores of the two servers differ by at most {gap:.2g} labels")
        if gap > worst:
            raise InputError(f"the servers do not say the same: {gap:.3g} labels apart, where {worst:g} are allowed")
        reading[kind] = statistics.fmean(answer["tokens"] * answer["read"] for answer in ours)
    cells: dict[tuple[str, int], dict[str, list[dict[str, float]]]] = {
        (kind, clients): {name: [] for name in servers} for kind in KINDS for clients in at
    }
    runs = [(repeat, *cell) for repeat in range(repeats) for cell in cells]
    for repeat, kind, clients in bar(runs, unit=" cells", what="Load"):
        for name in list(servers)[:: 1 if repeat % 2 == 0 else -1]:
            cells[kind, clients][name].append(measure(servers[name], bodies[kind], clients, seconds))
    return {
        "tokens_read": reading,
        "cells": [{"documents": kind, "clients": clients, **samples} for (kind, clients), samples in cells.items()],
    }


def medians(samples: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure over the repeats."""
    return {name: statistics.median(sample[name] for sample in samples) for name in FIGURES}


def ratio(cell: dict[str, Any], figure: str) -> float:
    """Return the median over the repeats of a figure of the service divided by that of the plain server."""
    return statistics.median(float(a[figure] / b[figure]) for a, b in zip(cell["assay"], cell["plain"], strict=True))


def table(found: dict[str, Any]) -> str:
    """Return the tables and sentences as Markdown."""
    lines = [
        "| documents | clients | server | documents/s | p50 ms | p95 ms | p99 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in found["cells"]:
        kind, clients = cell["documents"], cell["clients"]
        for name in ("plain", "assay"):
            figures = medians(cell[name])
            cells = [f"{figures['documents_per_second']:.1f}", *(f"{figures[p]:.0f}" for p in FIGURES[1:])]
            lines.append(f"| {kind} | {clients} | {name} | " + " | ".join(cells) + " |")
        ratios = " | ".join(f"**{ratio(cell, figure):.2f}**" for figure in FIGURES)
        lines.append(f"| {kind} | {clients} | assay / plain | {ratios} |")
    everything = [sample for cell in found["cells"] for name in ("plain", "assay") for sample in cell[name]]
    reading = ", ".join(f"{tokens:.0f} of a {kind} document" for kind, tokens in found["tokens_read"].items())
    lines += ["", f"Tokens read: {reading}. Errors: {sum(sample['errors'] for sample in everything):.0f}."]
    lines.append(f"Other processes took at most {max(sample['others'] for sample in everything):.2f} cores meanwhile.")
    for cell in found["cells"]:
        if cell["clients"] == max(CLIENTS):
            lines.append(
                f"{cell['documents']}: {ratio(cell, FIGURES[0]):.2f} times the documents/s; the goal is {GOAL:g}."
            )
        if cell["clients"] == 1:
            lines.append(f"{cell['documents']}: {ratio(cell, 'p95'):.2f} times the p95 of one client; the goal is 1.")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="champion", help="model folder, or version or alias of the registry")
    parser.add_argument("--output", type=Path, help="JSON of every measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured seconds of a cell (default: 10)")
    parser.add_argument("--only", type=int, choices=CLIENTS, help="measure this number of clients only")
    parser.add_argument(
        "--soak", type=float, default=0.0, metavar="SECONDS", help="measure memory under load for this time instead"
    )
    parser.add_argument("--clients", type=int, default=64, help="clients of --soak (default: 64)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-benchmark-")))
        with stage("Package"):
            bento = stack.enter_context(packed(options.model, folder))
        info = ModelInfo.read(bento.model)
        with stage("Start"):
            server = stack.enter_context(ServerProcess(bento.path, log=folder / "service.log"))
            if not options.soak:
                plain = stack.enter_context(plain_server(bento.model, info.windows.tokens, folder / "plain.log"))
        found: dict[str, Any] = {"model": bento.version, "precision": info.precision, "cores": os.cpu_count()}
        if options.soak:
            found |= asyncio.run(soak(server.url, options.soak, options.clients))
            memory = found["memory_mib"]
            shown = ", ".join(f"{name} {memory[name]:.0f}" for name in ("start", "median", "max", "end"))
            print(f"{found['requests']} requests, {found['documents']} documents, {found['errors']} errors")
            print(f"Resident memory of the service in MiB: {shown}")
            errors = found["errors"]
        else:
            if info.windows.count != 1:
                raise InputError("the plain server reads the beginning alone, this model more", where=options.model)
            at = [options.only] if options.only else CLIENTS
            worst = SAME * (info.rubric.high - info.rubric.low)
            found |= compare({"plain": plain, "assay": server.url}, options.repeats, options.seconds, worst, at)
            print(f"Model {bento.version} in {info.precision}, plain server in fp32, {os.cpu_count()} cores.\n")
            print(table(found))
            errors = sum(s["errors"] for cell in found["cells"] for name in ("plain", "assay") for s in cell[name])
    if options.output:
        with staged_file(options.output) as path:
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
