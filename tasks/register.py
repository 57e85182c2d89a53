"""Register: the model folder, complete with card and evidence, becomes an immutable version."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation, finish_model_folder
from assay.gates import refusals
from assay.progress import say
from assay.registry import Registry, promote_first
from tasks.evaluate_further import read_measured
from tasks.support.caching import by_content
from tasks.support.resources import light
from tasks.support.stages import Stage, recorded
from tasks.support.types import MeasuredFolder, ModelFolder


@dataclass
class Registration:
    """Where the version lies, and who is the champion now."""

    registry: str
    version: str
    champion: str
    """Its version; empty where a gate refused the only candidate, and there is none."""
    standing: str = ""
    """For people: who is the champion, and why this version is not."""

    def __str__(self) -> str:
        """What `pyflyte run` prints last."""
        return f"registered as version {self.version}; {self.standing}"


class Registered(NamedTuple):
    registration: Registration
    stage: Stage


@task(cache=by_content(), **light())
def register(
    model: ModelFolder,
    evaluation: Evaluation,
    report: FlyteFile,
    further: list[MeasuredFolder],
    registry: str,
    promote_refused: str,
) -> Registered:
    """Add model card, evaluation and report to the folder, and register it; the first version becomes champion.

    A version that a gate refuses, by any of its rubrics, does not, unless `promote_refused` says why it should.
    """
    with recorded("Register") as stage:
        folder = Path(current_context().working_directory) / "registered"
        others = dict(read_measured(Path(other.download())) for other in further)
        finish_model_folder(Path(model.download()), evaluation, Path(report.download()), folder, others)
        shelf = Registry(registry)
        version = shelf.register(folder, {"metrics": evaluation.values(), "lineage": evaluation.lineage})
        refused = refusals(evaluation.gates)
        for name, (measured, _) in others.items():
            refused += [f"{name}, {sentence}" for sentence in refusals(measured.gates)]
        promotion = promote_first(shelf, version.name, refused, who="training workflow", in_spite=promote_refused)
        stage.documents = evaluation.documents
        stage.remark = f"version {version.name}, champion is {promotion.champion or 'none: refused'}"
        say(f"version {version.name}; {promotion.sentence}")
    return Registered(Registration(registry, version.name, promotion.champion, promotion.sentence), stage)
