"""Register a model folder that `assay train` wrote, and make it the first champion if its gates let it pass."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.evaluation import Evaluation
from assay.gates import refusals
from assay.inference import Scorer, check_golden
from assay.labels import read_test_digests
from assay.model import calibrated_info
from assay.promotion import record_report
from assay.registry import Registry, promote_first
from assay.storage import digest_json, parse_json

AGAIN = "Name a folder that `assay train` wrote"


@dataclass(frozen=True)
class Registered:
    """A registered version, and the champion after it."""

    version: str
    champion: str
    """Version of the champion; empty if a gate refused the only candidate."""
    standing: str
    """Sentence on the champion, and on why this version is not if it was refused."""

    @property
    def sentence(self) -> str:
        """The result for people."""
        return f"registered as version {self.version}; {self.standing}"


def register_model(registry: str, folder: Path, *, who: str, promote_refused: str = "") -> Registered:
    """Copy a measured model folder into a registry; the first version becomes the champion.

    A version that a gate refuses, by any of its rubrics, becomes champion only if `promote_refused` gives a reason.
    The documents of its test part are counted as used by its report. Registering the same folder again changes
    nothing. Raise InputError if the folder holds no calibrated and evaluated model.
    """
    calibrated_info(folder)
    evaluations = read_evaluations(folder)
    main = evaluations.pop("")
    record: dict[str, Any] = {"metrics": main.values(), "lineage": dict(main.lineage)}
    if (request := folder / "request.json").is_file():
        options = parse_json(dict[str, Any], request.read_bytes(), what=request.name, where=str(folder), fix=AGAIN)
        record["lineage"]["request"] = digest_json(options)
        record["request"] = options
    shelf = Registry(registry)
    version = shelf.register(folder, record)
    refused = refusals(main.gates)
    for name, evaluation in evaluations.items():
        refused += [f"{name}, {sentence}" for sentence in refusals(evaluation.gates)]
    measured = read_test_digests(folder)
    record_report(registry, "train", (version.digest, ""), measured, measured)
    promotion = promote_first(shelf, version.name, refused, who=who, in_spite=promote_refused)
    return Registered(version.name, promotion.champion, promotion.sentence)


def require_golden(folder: Path) -> None:
    """Raise InputError if the golden documents of a model folder have other scores on this machine.

    It is for a folder of unknown origin. A run that has just calibrated its model has checked them already.
    """
    golden = check_golden(Scorer.load(folder), folder)
    if not golden.passed:
        raise InputError(
            f"its golden documents are off by {golden.worst:.2g} labels, {golden.tolerance:g} is allowed",
            where=str(folder),
            fix="Get the model again",
        )


def read_evaluations(folder: Path) -> dict[str, Evaluation]:
    """Return the evaluations in a model folder by further rubric, the main one's under the empty name.

    Raise InputError if the main one is missing, or if one cannot be read.
    """
    found = {}
    for file in sorted(folder.glob("evaluation*.json")):
        if name := re.fullmatch(r"evaluation(?:-(.+))?\.json", file.name):
            text = file.read_bytes()
            found[name[1] or ""] = parse_json(Evaluation, text, what=file.name, where=str(folder), fix=AGAIN)
    if "" not in found:
        raise InputError("evaluation.json is missing: this model was never measured", where=str(folder), fix=AGAIN)
    return found
