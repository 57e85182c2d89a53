"""Register: complete the model folder with card and evidence, and make it an immutable version."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task
from flytekit.types.file import FlyteFile

from assay.evaluation import Evaluation, finish_model_folder
from assay.progress import say
from assay.release import register_model
from tasks.evaluate_further import read_measured
from tasks.support.caching import by_content
from tasks.support.resources import light
from tasks.support.stages import Stage, recorded
from tasks.support.types import MeasuredFolder, ModelFolder


@dataclass
class Registration:
    """A registered version, and the champion after it."""

    registry: str
    version: str
    champion: str
    """Version of the champion; empty if a gate refused the only candidate."""
    standing: str = ""
    """Sentence on the champion, and on why this version is not if it was refused."""

    def __str__(self) -> str:
        """Return what `pyflyte run` prints last."""
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
    request: str,
) -> Registered:
    """Add model card, evaluation, report and request to the folder, and register it."""
    with recorded("Register") as stage:
        folder = Path(current_context().working_directory) / "registered"
        others = dict(read_measured(Path(other.download())) for other in further)
        pages = (Path(model.download()), evaluation, Path(report.download()))
        finish_model_folder(*pages, folder, others, request=json.loads(request))
        done = register_model(registry, folder, who="training workflow", promote_refused=promote_refused)
        stage.documents = evaluation.documents
        stage.remark = f"version {done.version}, champion is {done.champion or 'none: refused'}"
        say(done.sentence)
    return Registered(Registration(registry, done.version, done.champion, done.standing), stage)
