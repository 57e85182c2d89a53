"""Questions as files of OpenAI's batch interface, and their answers read back: the same store, often at half the price.

Form of the files: https://platform.openai.com/docs/api-reference/batch. vLLM's `run_batch` reads the same form.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from assay.annotation.answer import AnswerError, read_completion
from assay.annotation.ask import Job, spent_before, texts_of
from assay.annotation.budget import Budget, Limits, SpentError
from assay.annotation.client import answer_of, body_of, bytes_of
from assay.annotation.judge import Judge
from assay.annotation.store import AnswerStore, Key
from assay.errors import InputError
from assay.inference import SpanReader
from assay.progress import say
from assay.storage import staged_folder

MOST_REQUESTS, MOST_BYTES = 50_000, 190_000_000
"""Requests and bytes of one file: OpenAI takes 50,000 and 200 MB."""
DIGITS = 40
"""Hex digits of a span in `custom_id`, which may have 64 characters."""
UNKNOWN, REPEATED, NO_COMPLETION = "of another request", "answered before", "no chat completion"


@dataclass
class BatchRead:
    """What was read of the files of answers."""

    stored: int = 0
    """Answers that are new in the store, valid or not."""
    passed: dict[str, int] = field(default_factory=dict)
    """Lines that gave no new answer, by reason."""

    def passed_over(self, reason: str) -> None:
        """Count a line that gave no new answer."""
        self.passed[reason] = self.passed.get(reason, 0) + 1


def write_batch(job: Job, table: pd.DataFrame, reader: SpanReader, limits: Limits, folder: Path) -> int:
    """Write every question that the store has no answer to into the new folder, and return their number.

    Files are named `JUDGE-00000.jsonl`. No file has more requests or bytes than OpenAI takes. The budget ends the
    writing before the requests can cost more. Raise InputError if the folder exists, or if nothing is left to ask.
    """
    stores, wanted = job.stores(), job.wanted(table)
    existing = {name: wanted & store.keys() for name, store in stores.items()}
    missing = {name: wanted - existing[name] for name in stores}
    if not any(missing.values()):
        raise InputError("nothing is left to ask", where=str(folder), fix="Run it without --batch-out")
    budget = spent_before(stores, existing, limits)
    with staged_folder(folder) as staged:
        written = 0
        for judge in job.request.models:
            lines = _lines(job, table, reader, judge, stores[judge.name], missing, budget)
            written += _write_files(lines, staged, judge)
        if not written:
            raise InputError("the budget does not cover one question", where="budget", fix="Give a larger one")
    left = sum(map(len, missing.values())) - written
    if left:
        say(f"{left:,} questions are beyond the budget and were not written")
    return written


def read_batch(job: Job, table: pd.DataFrame, place: Path) -> BatchRead:
    """Read answers from a file, or from all `.jsonl` files of a folder, into the store.

    A line that failed, or whose answer exists already, is counted and gives no answer. Raise InputError for a line that
    is no JSON object with a `custom_id`; the lines before it are stored.
    """
    stores, found = job.stores(), BatchRead()
    known = {
        f"{store.context}-{span[:DIGITS]}-{repeat}": (judge, (span, repeat))
        for judge, store in ((judge, stores[judge.name]) for judge in job.request.models)
        for span, repeat in job.wanted(table)
    }
    for where, line in _read_lines(place):
        name = line.get("custom_id")
        if not isinstance(name, str):
            raise InputError("this line has no custom_id", where=where, fix="Give the output file of a batch")
        if name not in known:
            found.passed_over(UNKNOWN)
            continue
        judge, (span, repeat) = known[name]
        response = line.get("response") or {}
        try:
            if line.get("error") or response.get("status_code") != 200:
                found.passed_over(_failure(line))
                continue
            completion = read_completion(response.get("body"))
        except (AnswerError, AttributeError):
            found.passed_over(NO_COMPLETION)
            continue
        most = judge.cost(0, judge.tokens)
        answer = answer_of(judge, job.request.prompt(), span, repeat, completion, most)
        if stores[judge.name].write(answer):
            found.stored += 1
        else:
            found.passed_over(REPEATED)
    return found


def _lines(
    job: Job,
    table: pd.DataFrame,
    reader: SpanReader,
    judge: Judge,
    store: AnswerStore,
    missing: Mapping[str, set[Key]],
    budget: Budget,
) -> Iterator[bytes]:
    prompt = job.request.prompt()
    for shown in texts_of(job, table, reader, {judge.name: missing[judge.name]}):
        body = body_of(judge, prompt, shown)
        most = judge.most(bytes_of(body))
        for repeat in range(job.request.repeats):
            if (shown.digest, repeat) not in missing[judge.name]:
                continue
            try:
                budget.reserve(most)
            except SpentError:
                return
            budget.settle(most, most)
            name = f"{store.context}-{shown.digest[:DIGITS]}-{repeat}"
            request = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
            yield json.dumps(request, ensure_ascii=False).encode() + b"\n"


def _write_files(lines: Iterator[bytes], folder: Path, judge: Judge) -> int:
    """Write lines into as many files as their limits need, and return the number of lines."""
    written = number = size = count = 0
    file = None
    stem = "".join(char if char.isalnum() or char in "._-" else "_" for char in judge.name)
    try:
        for line in lines:
            if file is None or count == MOST_REQUESTS or size + len(line) > MOST_BYTES:
                if file is not None:
                    file.close()
                file = (folder / f"{stem}-{number:05d}.jsonl").open("wb")
                number, size, count = number + 1, 0, 0
            file.write(line)
            written, size, count = written + 1, size + len(line), count + 1
    finally:
        if file is not None:
            file.close()
    return written


def _read_lines(place: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    files = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    if not files or not all(file.is_file() for file in files):
        raise InputError("no file of answers", where=str(place), fix="Name the output file of a batch, or its folder")
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                where = f"{file}, line {number}"
                try:
                    found = json.loads(line)
                except ValueError as error:
                    raise InputError("this line is no JSON", where=where, fix="Get the file again") from error
                if not isinstance(found, dict):
                    raise InputError("this line is no JSON object", where=where, fix="Get the file again")
                yield where, found


def _failure(line: Mapping[str, Any]) -> str:
    error, response = line.get("error"), line.get("response") or {}
    if isinstance(error, Mapping) and error.get("code"):
        return str(error["code"])
    return f"status {response.get('status_code')}"
