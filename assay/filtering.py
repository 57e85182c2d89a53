"""The corpus path in one process, without Flyte: the same functions as the tasks, in the same order."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from assay.corpus import Columns, acquire, open_source
from assay.errors import InputError
from assay.inference import Scorer, TokenCounter, token_counter
from assay.model import Calibration, ModelInfo
from assay.progress import say, stage
from assay.registry import Registry
from assay.scoring import PartFolder, Plan, Scores, ScoringConfig, find_scores, score_parts
from assay.selection import Request, choose, provenance_of, write_selection
from assay.storage import (
    MANIFEST,
    Snapshot,
    clear_permission_errors,
    digest_folder,
    digest_json,
    exists,
    find_made,
    join,
)


@contextmanager
def open_model(name: str, registry: str) -> Iterator[Path]:
    """A model folder by path, or a version or alias of a registry, for the time of the block.

    Raises InputError where there is neither.
    """
    with clear_permission_errors(name):
        folder = Path(name).exists()
    if folder:
        yield Path(name)
        return
    with Registry(registry).open(name) as kept:
        yield kept


def existing_snapshot(source: str) -> Snapshot | None:
    """The snapshot where the source is one, on a disk or in a store."""
    if source.startswith("hf://") or not exists(join(source, MANIFEST)):  # a hub is asked by its own library
        return None
    return Snapshot.open(source)


def corpus_revision(source: str) -> str:
    """Changes whenever the documents may have changed. Raises InputError where there are none."""
    snapshot = existing_snapshot(source)
    return snapshot.manifest.version if snapshot else open_source(source).revision


def open_corpus(source: str, columns: Columns, root: str) -> Snapshot:
    """A snapshot as it is; any other source as a snapshot below `root`, made once for a revision of it.

    Raises InputError for a source that cannot be read; then there is nothing.
    """
    if snapshot := existing_snapshot(source):
        return snapshot
    opened = open_source(source)
    place = join(root, "corpora", digest_json([opened.revision, asdict(columns)])[:16])
    if exists(join(place, MANIFEST)):
        return Snapshot.open(place)
    with stage("Acquire"):
        snapshot = acquire(opened, columns, place, keep=True)
        say(f"{snapshot.manifest.rows:,} documents, version {snapshot.manifest.version[:12]}")
    return snapshot


def plan_scoring(snapshot: Snapshot, model: Path, tokens: TokenCounter, config: ScoringConfig, root: str) -> PartFolder:
    """The parts of a corpus for a model, and the folder below `root` where their scores lie or will lie.

    Raises InputError for a model that was never calibrated, and for settings that do not fit the corpus.
    """
    plan = Plan.of(snapshot, calibrated_info(model), digest_folder(model), tokens.name, config)
    return PartFolder.create(root, plan)


def calibrated_info(model: Path) -> ModelInfo:
    """What a model folder says of itself. Raises InputError where its scores have no meaning yet."""
    info = ModelInfo.read(model)
    if info.calibration is None:
        raise InputError("this model was never calibrated", where=str(model), fix="Train it with `assay train`")
    return info


def ranked(scores: Scores, info: ModelInfo, request: Request) -> tuple[Scores, Calibration]:
    """Scores by the rubric that a request names, and what they mean. Raises InputError where the model has none."""
    aspect = info.aspects[info.output_of(request.by or info.rubric.name)]
    assert aspect.calibration is not None  # they are all fitted at once
    return (scores.by(aspect.rubric) if aspect in info.others else scores), aspect.calibration


def score_corpus(source: str, model: Path, columns: Columns, root: str, config: ScoringConfig) -> Scores:
    """Score all documents of a source below `root`; what is there already is not scored again.

    Raises InputError for what cannot be read or written; the parts that are there stay, and the same call goes
    on with the others.
    """
    calibrated_info(model)
    scorer, tokens = Scorer.load(model), token_counter(config.tokenizer)  # before a corpus is copied in vain
    snapshot = open_corpus(source, columns, root)
    folder = plan_scoring(snapshot, model, tokens, config, root)
    missing = folder.missing()
    with stage("Score"):
        there = len(folder.plan.parts()) - len(missing)
        if there:
            say(f"{there} of {len(folder.plan.parts())} parts are there already")
        score_parts(folder, missing, snapshot, scorer, tokens)
        return Scores.complete(folder)


def select_corpus(source: str, model: Path, columns: Columns, root: str, request: Request, output: str) -> Snapshot:
    """Select from the scores that `score_corpus` left below `root`, unless this very selection is there already.

    Raises InputError where the corpus is not scored to its end, nothing would be taken, or something else lies at
    `output`.
    """
    info = calibrated_info(model)
    info.output_of(request.by or info.rubric.name)  # before a corpus is copied in vain
    if not exists(root):
        raise InputError("there are no scores", where=root, fix="Run `assay score` first, to its end")
    snapshot = open_corpus(source, columns, root)
    scores = find_scores(root, snapshot.manifest.version, digest_folder(model))
    if found := find_made(output, provenance_of(scores, snapshot, request)):
        say("this selection is there already")
        return found
    with stage("Select"):
        scores, calibration = ranked(scores, info, request)
        choice = choose(scores, snapshot, calibration, request)
        selection = write_selection(scores, snapshot, request, choice, output)
        manifest = selection.manifest
        say(f"{manifest.rows:,} documents, {choice.realised:,} tokens, version {manifest.version[:12]}")
    return selection
