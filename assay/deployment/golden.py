"""Score the golden documents of a version through the endpoint of a cloud, as its clients do."""

import json
from pathlib import Path
from typing import Any

from assay.cloud import Aws, Google
from assay.errors import InputError
from assay.serving import ServedReport, check_calls

VERTEX_BYTES = 1_200_000
"""Bytes of one request to Vertex AI, below its limit of 1.5 MB for a shared public endpoint."""


def check_sagemaker(model: Path, version: str, aws: Aws, endpoint: str) -> ServedReport:
    """Check an endpoint of SageMaker. Raise InputError if it does not answer with this version and its scores."""
    where = f"endpoint {endpoint}"
    return check_calls(model, version, where, lambda some: aws.invoke(endpoint, {"documents": list(some)}))


def check_vertex(model: Path, version: str, google: Google, endpoint: str) -> ServedReport:
    """Check an endpoint of Vertex AI, by its resource name. Raise InputError as `check_sagemaker`."""
    return check_calls(model, version, endpoint, lambda some: (200, predictions(google, endpoint, list(some))))


def tolerance_of(model: Path) -> float:
    """Return the largest difference of a score from the recorded one that the golden check allows, in labels."""
    from assay.inference import Scorer, check_golden

    return check_golden(Scorer.load(model), model).tolerance


def probe_vertex(model: Path, versions: tuple[str, str], google: Google, endpoint: str, tolerance: float) -> None:
    """Ask the golden documents of the first of two versions that share the requests of an endpoint.

    `tolerance`: largest difference of a score, in labels. Raise InputError if one is not answered, if another version
    answers, or if the first answers with other scores.
    """
    from assay.inference import read_golden

    golden = read_golden(model)
    documents = [{"id": str(row["id"]), "text": str(row["text"])} for row in golden]
    answers = predictions(google, endpoint, documents)
    if [answer["id"] for answer in answers] != [document["id"] for document in documents]:
        raise InputError("the answers do not belong to the documents sent", where=endpoint)
    for answer, row in zip(answers, golden, strict=True):
        by, score, expected = answer["model"]["version"], answer["score"], float(str(row["score"]))
        if by not in versions:
            raise InputError(f"an answer comes from version {by}", where=endpoint)
        if by == versions[0] and (score is None or not abs(score - expected) <= tolerance):
            raise InputError(f"a golden document scores {score}, not {expected:.4g}", where=endpoint)


def predictions(google: Google, endpoint: str, documents: list[dict[str, str]]) -> list[Any]:
    """Return the answers of an endpoint of Vertex AI, in requests below its limit. Raise ApiError."""
    pieces: list[list[dict[str, str]]] = [[]]
    size = 0
    for document in documents:
        more = len(json.dumps(document))
        if pieces[-1] and size + more > VERTEX_BYTES:
            pieces.append([])
            size = 0
        pieces[-1].append(document)
        size += more
    answers: list[Any] = []
    for some in pieces:
        found = google.call("the documents are not answered", "POST", f"{endpoint}:predict", {"instances": some})
        answers += found.get("predictions", [])
    return answers
