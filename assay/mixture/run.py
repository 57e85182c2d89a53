"""Make a mixture in one process, without Flyte, and what its passes need before and after them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.errors import InputError
from assay.mixture.begin import begin
from assay.mixture.loaders import loader_files
from assay.mixture.manifest import BINS, MANIFEST, Mixture, find_mixture, mixture_of, plan_file
from assay.mixture.materialise import write_cells, write_stream
from assay.mixture.passes import advance, scan
from assay.mixture.present import mixture_card, mixture_report
from assay.mixture.request import Materialise, MixingRequest
from assay.mixture.state import MixtureJob, MixtureState, ScorePlace
from assay.model import ModelInfo, calibrated_info
from assay.progress import say, stage
from assay.report import render_html
from assay.scoring import Part, PartFolder, bins_of, column_digest, find_scores
from assay.sources import open_corpus
from assay.storage import Snapshot, digest_folder, exists, join, write_bytes

COLUMN = "column:"
CARD, REPORT = "README.md", "report.html"


def model_names(quality: Sequence[str]) -> list[str]:
    """Return the models that scores are of, each once, in their order."""
    return list(dict.fromkeys(name.partition("#")[0] for name in quality if not name.startswith(COLUMN)))


def find_job(request: MixingRequest, models: Mapping[str, Path], root: str, output: str) -> MixtureJob:
    """Find the corpus and its scores below `root`. `models`: folder of each of `model_names`.

    Raise InputError if the corpus is not scored completely, or if a model has no such rubric.
    """
    if not exists(root):
        raise InputError("there are no scores", where=root, fix="Run `assay score` first, to its end")
    snapshot = open_corpus(request.source, request.columns, root, request.period)
    places: list[ScorePlace] = []
    rubrics: tuple[str, ...] = ()
    for at, name in enumerate(request.ranked_by):
        if name.startswith(COLUMN):
            found = find_scores(root, snapshot.manifest.version, column_digest(name.removeprefix(COLUMN)))
            places.append(ScorePlace(name, found.folder.url))
            continue
        model, _, rubric = name.partition("#")
        info = calibrated_info(models[model])
        found = find_scores(root, snapshot.manifest.version, digest_folder(models[model]))
        places.append(_place(name, found.folder.url, info, rubric))
        if at == 0:
            rubrics = tuple(aspect.rubric.name for aspect in info.aspects)
    return MixtureJob(
        snapshot.url, snapshot.manifest.version, tuple(places), rubrics, request.mixture, output.rstrip("/")
    )


def _place(name: str, folder: str, info: ModelInfo, rubric: str) -> ScorePlace:
    number = info.output_of(rubric or info.rubric.name)
    if number == 0:
        return ScorePlace(name, folder)
    axis = bins_of(info.aspects[number].rubric)
    return ScorePlace(name, folder, rubric, float(axis.low), float(axis.high))


def start(job: MixtureJob) -> MixtureState:
    """Mark the place of a mixture, and return the state before its passes. Raise InputError as `begin`."""
    state = begin(job)
    if not exists(plan_file(job)):
        write_bytes(plan_file(job), b"{}\n")
    return state


def finish(job: MixtureJob, state: MixtureState, materialise: Materialise = "") -> Mixture:
    """Write what belongs to a mixture whose references are written; the manifest last."""
    assert state.bins is not None
    mixture = mixture_of(job, state)
    texts = {
        BINS: state.bins.to_json(),
        CARD: mixture_card(mixture, state.bins),
        REPORT: render_html(mixture_report(mixture, state.bins)),
        **{f"loaders/{name}": text for name, text in loader_files(mixture).items()},
    }
    for name, text in texts.items():
        write_bytes(join(job.output, name), text.encode())
    _materialise(job, mixture, parts_of(job), materialise)
    write_bytes(join(job.output, MANIFEST), mixture.to_json().encode())
    return mixture


def parts_of(job: MixtureJob) -> list[Part]:
    """Return the parts of the scores, which are those of the references."""
    return PartFolder.open(job.scores[0].folder).plan.parts()


def _materialise(job: MixtureJob, mixture: Mixture, parts: Sequence[Part], how: Materialise) -> None:
    corpus = Snapshot.open(job.snapshot)
    if how == "stream":
        found = write_stream(mixture, job.output, corpus, parts)
        say(f"{found.manifest.rows:,} documents in the order of the seed: {found.url}")
    elif how == "cells":
        say(f"{write_cells(mixture, job.output, corpus, parts)} cells, each document once: {join(job.output, 'cells')}")


def mix_corpus(
    request: MixingRequest, models: Mapping[str, Path], root: str, output: str, *, materialise: Materialise = ""
) -> Mixture:
    """Make the mixture of a scored corpus at `output`, unless it exists. Memory holds one part and the counts.

    `root`: folder or URL of the scores. Raise InputError if the corpus is not scored, if a wish cannot be filled, or if
    `output` holds something else; then nothing is written.
    """
    job = find_job(request, models, root, output)
    if found := find_mixture(job):
        say("this mixture exists already")
        if materialise:
            _materialise(job, found, parts_of(job), materialise)
        return found
    with stage("Mix"):
        state = start(job)
        parts = parts_of(job)
        while state.next != "write":
            state = advance(job, state, [scan(job, state, parts)])
        scan(job, state, parts)
        return finish(job, state, materialise)
