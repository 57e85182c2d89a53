"""Score a corpus: plan the parts, score those that do not exist yet, and merge their counts."""

from pathlib import Path

from assay.backends import REFERENCE
from assay.errors import InputError
from assay.inference import Scorer, TokenCounter, token_counter
from assay.model import calibrated_info
from assay.scoring.backends import settle_backend
from assay.scoring.networks import open_network
from assay.scoring.plan import PartFolder, Plan, Rejection, ScoringConfig
from assay.scoring.run import PartScorer, score_missing
from assay.scoring.scores import Scores, complete_folders
from assay.scoring.vectors import Space, encoder_of, plan_on_vectors, write_space
from assay.sources import Columns, Period, open_corpus
from assay.storage import Snapshot, digest_folder


def plan_scoring(
    snapshot: Snapshot,
    model: Path,
    tokens: TokenCounter,
    config: ScoringConfig,
    root: str,
    rejection: Rejection | None = None,
    *,
    scorer: Scorer | None = None,
    processes: int | None = None,
) -> PartFolder:
    """Plan the parts of a corpus for a model, and return the folder of their scores below `root`.

    A backend is measured first, if it was not before. `scorer`: the model, if it is open already. Raise InputError if
    the model is not calibrated, if the settings do not fit the corpus, and as `settle_backend`.
    """
    plan = Plan.of(snapshot, calibrated_info(model), digest_folder(model), tokens.name, config, rejection)
    if config.backend != REFERENCE:
        plan = settle_backend(plan, snapshot, model, scorer or Scorer.load(model), root, processes=processes)
    folder = PartFolder.create(root, plan)
    if config.embeddings:
        write_space(folder, Space.of(*encoder_of(model), model))
    return folder


def score_corpus(
    source: str,
    model: Path,
    columns: Columns,
    root: str,
    config: ScoringConfig,
    *,
    period: Period | None = None,
    processes: int | None = None,
) -> Scores:
    """Score the documents of a source, or of a period of it, into a folder below `root`.

    `processes`: by default as many as pay off.
    Existing parts are not scored again. Raise InputError if something cannot be read or written, or if a process dies.
    The existing parts stay, and the same call resumes with the others.
    """
    # The model and the tokenizer are checked before a corpus is copied without effect.
    calibrated_info(model)
    scorer, tokens = Scorer.load(model), token_counter(config.tokenizer)
    snapshot = open_corpus(source, columns, root, period)
    return score_snapshot(snapshot, model, root, config, processes=processes, opened=(scorer, tokens))


def score_snapshot(
    snapshot: Snapshot,
    model: Path,
    root: str,
    config: ScoringConfig,
    *,
    processes: int | None = None,
    rejection: Rejection | None = None,
    opened: tuple[Scorer, TokenCounter] | None = None,
    what: str = "Score",
) -> Scores:
    """Score a snapshot as `score_corpus` does. `opened`: the model and the tokenizer, if they are open already.

    `rejection`: what a cheap model rejected before. `what`: name of the stage.
    """
    scorer, tokens = opened or (Scorer.load(model), token_counter(config.tokenizer))
    folder = plan_scoring(snapshot, model, tokens, config, root, rejection, scorer=scorer, processes=processes)
    opened_parts = PartScorer(folder, snapshot, open_network(scorer, folder), tokens)
    return score_missing(opened_parts, model, processes, what)


def score_vectors(
    source: str, model: Path, columns: Columns, root: str, *, period: Period | None = None, processes: int | None = None
) -> Scores:
    """Score a corpus by the vectors that earlier scores below `root` have kept, without reading a text.

    The model has the encoder of the model that kept them, and another head. Raise InputError if there are no such
    vectors, and as `score_corpus`.
    """
    info = calibrated_info(model)
    if info.kind == "hybrid":
        raise InputError(
            "a hybrid reads words, too, and vectors have none", where=str(model), fix="Score the documents themselves"
        )
    encoder, opened = encoder_of(model)
    snapshot = open_corpus(source, columns, root, period)
    plan = Plan.of(snapshot, info, digest_folder(model), "", ScoringConfig())
    plan = plan_on_vectors(complete_folders(root), plan, encoder, root)
    folder, tokens = PartFolder.create(root, plan), TokenCounter(plan.tokenizer)
    return score_missing(PartScorer(folder, snapshot, Scorer(opened), tokens), model, processes, "Score the vectors")
