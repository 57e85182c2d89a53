"""Register: the model folder, complete with card and evidence, becomes an immutable version."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation, finish_model_folder
from assay.progress import say
from assay.registry import Registry
from tasks.caching import by_content
from tasks.resources import light
from tasks.types import ModelFolder, Stage, recorded


@dataclass
class Registration:
    """Where the version lies, and whether it is the champion now."""

    registry: str
    version: str
    champion: str

    def __str__(self) -> str:
        """What `pyflyte run` prints last."""
        return f"registered as version {self.version}; the champion is {self.champion}"


class Registered(NamedTuple):
    registration: Registration
    stage: Stage


@task(cache=by_content(), **light())
def register(model: ModelFolder, evaluation: Evaluation, report: FlyteFile, registry: str) -> Registered:
    """Add model card, evaluation and report to the folder, and register it; the first version becomes champion."""
    with recorded("Register") as stage:
        folder = Path(current_context().working_directory) / "registered"
        finish_model_folder(Path(model.download()), evaluation, Path(report.download()), folder)
        shelf = Registry(registry)
        version = shelf.register(folder, {"metrics": evaluation.values(), "lineage": evaluation.lineage})
        champion = shelf.ensure_alias(
            "champion", version.name, who="training workflow", why="the first version of this registry"
        )
        stage.documents = evaluation.documents
        stage.remark = f"version {version.name}, champion is {champion.version}"
        say(stage.remark)
    return Registered(Registration(registry, version.name, champion.version), stage)
