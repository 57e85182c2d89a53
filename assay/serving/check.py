"""Check over HTTP, as a client, that a service scores the golden documents as the evaluation did."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.serving.bento import Bento
from assay.serving.client import ask
from assay.serving.process import ServerProcess

Documents = Sequence[dict[str, str]]
"""Documents with `id` and `text`."""
Call = Callable[[Documents], tuple[int, Any]]
"""Sends documents to a service in one request. Returns status and answers; raises an OSError if none arrive."""


@dataclass(frozen=True)
class ServedReport:
    """Differences of the served scores from those of the evaluation path."""

    tag: str
    """Tag of the Bento. Its version is the version in the answers."""
    documents: int
    """Golden documents that were scored, each alone and all in one request."""
    worst: float
    """Largest absolute difference of a served score from the recorded one and from that of this process, in labels."""
    tolerance: float
    """Largest difference allowed, in labels."""
    seconds_to_ready: float
    """Seconds from the start of the process until it was ready; 0 if it ran already."""

    @property
    def passed(self) -> bool:
        """Return True if the Bento may be shipped. A NaN among the differences fails."""
        return self.worst <= self.tolerance

    def require(self) -> None:
        """Raise InputError if the check did not pass."""
        if not self.passed:
            raise InputError(
                f"the served scores are off by {self.worst:.3g} labels, allowed are {self.tolerance:g}",
                where=self.tag,
                fix="Build it from the registered version, in the environment of the lock",
            )

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def check_served(bento: Path, *, log: Path | None = None, within: float = 180.0) -> ServedReport:
    """Serve a Bento, score its golden documents one by one and all in one request, and stop the server.

    The scores are compared with those recorded in the model and with those of `assay.inference` in this process.
    Nobody else can call the server meanwhile: it requires a token made for this check. It gets none of the settings of
    this process. `within`: seconds until it must be ready. Raise InputError if the server does not start, answers in
    another form, or answers with another version.
    """
    token = secrets.token_hex(24)
    with ServerProcess(bento, environment={"ASSAY_SERVE_TOKENS": token}, log=log, within=within) as server:
        return check_running(server.bento, server.url, token=token, seconds_to_ready=server.seconds_to_ready)


def check_running(bento: Bento, url: str, *, token: str = "", seconds_to_ready: float = 0.0) -> ServedReport:
    """Check a server that runs already. Raise InputError as `check_served`, and if nothing answers at `url`."""
    return check_answers(bento.model, bento.version, url, tag=bento.tag, token=token, seconds_to_ready=seconds_to_ready)


def check_answers(
    model: Path, version: str, url: str, *, tag: str = "", token: str = "", seconds_to_ready: float = 0.0
) -> ServedReport:
    """Check the service at `url` against the folder of its model. Raise InputError as `check_running`."""

    def call(documents: Documents) -> tuple[int, Any]:
        return ask(url, "/score", {"documents": list(documents)}, token=token, timeout=120)

    tag = tag or version
    return check_calls(model, version, f"{tag} at {url}", call, tag=tag, seconds_to_ready=seconds_to_ready)


def check_calls(
    model: Path, version: str, where: str, call: Call, *, tag: str = "", seconds_to_ready: float = 0.0
) -> ServedReport:
    """Check a service that `call` reaches. `where` names it in messages. Raise InputError as `check_running`."""
    from assay.inference import Scorer, assess, check_golden, read_golden

    # Both paths are checked: alone a document is padded to no other, in a batch to the longest.
    golden = read_golden(model)
    documents = [{"id": str(row["id"]), "text": str(row["text"])} for row in golden]

    def served(some: Documents) -> np.ndarray:
        return _scores(version, where, some, call)

    together = served(documents)
    alone = np.concatenate([served([document]) for document in documents])
    scorer = Scorer.load(model)
    recorded = np.array([float(str(row["score"])) for row in golden])
    here = assess(scorer, [document["text"] for document in documents]).score
    gaps = [np.abs(answered - expected) for answered in (together, alone) for expected in (recorded, here)]
    tolerance = check_golden(scorer, model).tolerance
    return ServedReport(tag or version, len(golden), float(np.max(gaps)), tolerance, round(seconds_to_ready, 2))


def _scores(version: str, where: str, documents: Documents, call: Call) -> np.ndarray:
    """Return the scores, shape (documents,): infinite if the answer has a reason instead, which fails the check."""
    try:
        status, answers = call(documents)
    except OSError as error:
        raise InputError(f"the golden documents are not answered: {error}", where=where) from error
    if status != 200:
        raise InputError(f"the golden documents are answered with status {status}: {answers}", where=where)
    if [answer["id"] for answer in answers] != [document["id"] for document in documents]:
        raise InputError("the answers do not belong to the documents sent", where=where)
    versions = {answer["model"]["version"] for answer in answers}
    if versions != {version}:
        raise InputError(f"the answers come from version {', '.join(sorted(versions))}", where=where)
    # Golden documents all have scores: a reason instead must not pass as a missing value.
    return np.array([np.inf if answer["score"] is None else answer["score"] for answer in answers], float)
