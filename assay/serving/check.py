"""Does the Bento say what the evaluation said? Asked over HTTP, as its clients will ask."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.serving.bento import Bento
from assay.serving.process import ServerProcess, ask


@dataclass(frozen=True)
class ServedReport:
    """How far the served scores are from those of the evaluation path."""

    tag: str
    """Of the Bento; its version is the one that the answers carry."""
    documents: int
    worst: float
    """Largest absolute difference of a score from the recorded one and from this process's, in labels."""
    tolerance: float
    """Largest difference allowed, in labels."""
    seconds_to_ready: float
    """From the start of the process."""

    @property
    def passed(self) -> bool:
        """Whether the Bento may be shipped."""
        return self.worst <= self.tolerance

    def require(self) -> None:
        """Raises InputError where it did not pass."""
        if not self.passed:
            raise InputError(
                f"the served scores are off by {self.worst:.3g} labels, where {self.tolerance:g} are allowed",
                where=self.tag,
                fix="Build it from the registered version, in the environment of the lock",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def check_served(bento: Path, *, log: Path | None = None, within: float = 180.0) -> ServedReport:
    """Serve a Bento, ask it for its golden documents, one by one and all in one request, and stop it.

    The scores are compared with those recorded in the model and with those of `assay.inference` in this process.
    Nobody else can ask meanwhile: the server wants a token that is made for it, and none of this process's settings.
    Raises InputError where it cannot be started, does not answer as agreed, or answers as another version.
    """
    token = secrets.token_hex(24)
    with ServerProcess(bento, environment={"ASSAY_SERVE_TOKENS": token}, log=log, within=within) as server:
        return check_running(server.bento, server.url, token=token, seconds_to_ready=server.seconds_to_ready)


def check_running(bento: Bento, url: str, *, token: str = "", seconds_to_ready: float = 0.0) -> ServedReport:
    """The same of a server that runs already. Raises InputError, also where it does not answer at all."""
    return check_answers(bento.model, bento.version, url, tag=bento.tag, token=token, seconds_to_ready=seconds_to_ready)


def check_answers(
    model: Path, version: str, url: str, *, tag: str = "", token: str = "", seconds_to_ready: float = 0.0
) -> ServedReport:
    """The same of whatever answers at a URL, which should be this version of a model, whose folder is here."""
    from assay.inference import Scorer, assess, check_golden, read_golden

    tag = tag or version
    golden = read_golden(model)
    documents = [{"id": str(row["id"]), "text": str(row["text"])} for row in golden]

    def served(some: Sequence[dict[str, str]]) -> np.ndarray:
        return _scores(version, f"{tag} at {url}", url, some, token)

    together = served(documents)
    alone = np.concatenate([served([document]) for document in documents])
    scorer = Scorer.load(model)
    recorded = np.array([float(str(row["score"])) for row in golden])
    here = assess(scorer, [document["text"] for document in documents]).score
    gaps = [np.abs(answered - expected) for answered in (together, alone) for expected in (recorded, here)]
    tolerance = check_golden(scorer, model).tolerance
    return ServedReport(tag, len(golden), float(np.max(gaps)), tolerance, round(seconds_to_ready, 2))


def _scores(version: str, where: str, url: str, documents: Sequence[dict[str, str]], token: str) -> np.ndarray:
    """Scores of shape (documents,); no number where the answer has a reason instead of one."""
    try:
        status, answers = ask(url, "/score", {"documents": list(documents)}, token=token, timeout=120)
    except (OSError, HTTPException) as error:
        raise InputError(f"the golden documents are not answered: {error}", where=where) from error
    if status != 200:
        raise InputError(f"the golden documents are answered {status}: {answers}", where=where)
    if [answer["id"] for answer in answers] != [document["id"] for document in documents]:
        raise InputError("the answers are not those to the documents that were sent", where=where)
    versions = {answer["model"]["version"] for answer in answers}
    if versions != {version}:
        raise InputError(f"the answers come from version {', '.join(sorted(versions))}", where=where)
    return np.array([np.inf if answer["score"] is None else answer["score"] for answer in answers], float)
