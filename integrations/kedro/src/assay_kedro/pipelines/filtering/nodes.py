"""Nodes of the filtering pipeline: each calls the function behind `assay score` or `assay select`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.options import build
from assay.registry import open_model
from assay.scoring import score_corpus, score_in_cascade
from assay.selection import FilteringRequest, select_corpus
from assay.storage import place_or_default
from assay_kedro.datasets import NewFolder

Options = Mapping[str, Any]
WHERE = "filtering in parameters.yml"


def _request(options: Options, model: Path) -> FilteringRequest:
    if "model" in options:
        raise InputError("the model is an entry of the catalog", where=WHERE, fix="Name its folder in catalog.yml")
    return build(FilteringRequest, {**options, "model": str(model)}, where=WHERE)


def _place(scores: str) -> str:
    return place_or_default(scores, "ASSAY_SCORES", "scores")


def score_documents(options: Options, model: Path, scores: str) -> dict[str, Any]:
    """Score the corpus, by a cheap model first if the options name one, and return the totals.

    Existing parts are not scored again. Raise InputError as `score_corpus` and `score_in_cascade`.
    """
    request, root = _request(options, model), _place(scores)
    given = (request.columns, root, request.scoring)
    if not request.cascade.cheap:
        found = score_corpus(request.source, model, *given, period=request.period)
    else:
        with open_model(request.cascade.cheap, place_or_default("", "ASSAY_REGISTRY", "registry")) as cheap:
            found = score_in_cascade(request.source, model, cheap, *given, request.cascade, period=request.period)
    return {"scores": found.folder.url, **asdict(found.totals)}


def select_documents(options: Options, model: Path, scores: str, scored: Mapping[str, Any]) -> NewFolder:
    """Return the folder of the selection. `scored` orders this node after the scores."""
    request, made = _request(options, model), NewFolder()
    select_corpus(
        request.source,
        model,
        request.columns,
        _place(scores),
        request.selection,
        str(made.path),
        period=request.period,
    )
    return made
