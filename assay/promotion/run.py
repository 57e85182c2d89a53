"""Compare a challenger with the champion: measure both, count the use of the test set, apply the rules.

This is the top of the room. It goes down from here: `evidence` holds the measurements, `gate` applies the `rules` and
`slices` to them, `limits` holds the settings, `judgement` and `report` the result. Nothing here needs Flyte.
"""

import datetime
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.errors import InputError
from assay.evaluation import common_rubric, predict, require_metric, require_slices
from assay.gates import Verdict, leak_elsewhere, run_gates_elsewhere
from assay.inference import Scorer, check_golden
from assay.labels import open_unseen
from assay.model import ModelInfo
from assay.progress import say, stage
from assay.promotion.champions import ChampionScores
from assay.promotion.evidence import Evidence
from assay.promotion.gate import apply_rules
from assay.promotion.judgement import Candidate, Judgement
from assay.promotion.latency import latency_sample, measure_latency
from assay.promotion.report import promotion_report
from assay.promotion.request import ChallengeRequest
from assay.promotion.test_set import UseLog
from assay.registry import CHAMPION, Registry, keep_verdict, open_model
from assay.report import write_html
from assay.rubric import Rubric
from assay.storage import digest_folder, parse_json, staged_file

EVALUATION = "evaluation.json"
"""File of the model folder with the verdicts of the gates when the model was trained."""


@dataclass(frozen=True)
class TrainedGates:
    """The field of `evaluation.json` that is read here."""

    gates: list[Verdict] = field(default_factory=list)


@contextmanager
def model_to_beat(name: str, registry: str) -> Iterator[Path | None]:
    """Yield a model folder as `open_model`, or None if `name` is the champion and the registry has none."""
    with ExitStack() as opened:
        none = name == CHAMPION and not Path(name).exists() and Registry(registry).alias(CHAMPION) is None
        yield None if none else opened.enter_context(open_model(name, registry))


def challenge_champion(
    request: ChallengeRequest,
    challenger: Path,
    champion: Path | None,
    *,
    names: tuple[str, str],
    output: Path,
    registry: str,
) -> Judgement:
    """Compare a challenger with the champion on documents that neither has seen. Write the verdict and its page.

    `names` are the two models' names for people, `output` is the verdict, .json. The gates are run on these documents;
    a refusal of the leak gate at training counts, too. The use of the test set is counted, also for a bad verdict,
    which reveals as much. Raise InputError if a model was never calibrated, if both are the same model, if their scales
    differ, or if no document is left; then nothing is counted and nothing is written.
    """
    models = [challenger, *([champion] if champion else [])]
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the verdict is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    # Without a champion there are two names and one model.
    candidates = [Candidate(name, digest_folder(model)) for name, model in zip(names, models, strict=False)]
    if champion and candidates[0].digest == candidates[1].digest:
        raise InputError(f"{names[0]} and {names[1]} are the same model", fix="Name another challenger")
    data_days = _days_since(request.data_until)
    infos = [ModelInfo.read(model) for model in models]
    rubric = infos[0].rubric
    if champion:  # no challenger chooses the metric in which it has to beat the champion
        rubric = replace(common_rubric(infos, names), primary_metric=infos[1].rubric.primary_metric)
    require_metric(rubric)
    # The output is opened first: if it cannot be written, no use of the test set is spent on a verdict that is lost.
    with staged_file(output) as partial:
        evidence = _measure(request, rubric, models, candidates, data_days, registry)
        with stage("Apply the rules"):
            judgement = apply_rules(evidence, request.limits)
        text = json.dumps(judgement.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        verdict = (text + "\n").encode()
        partial.write_bytes(verdict)
        write_html(promotion_report(judgement), output.with_suffix(".html"))  # if this fails, there is no verdict
        keep_verdict(registry, verdict)  # without this copy, it promotes nothing
    return judgement


def _measure(
    request: ChallengeRequest,
    rubric: Rubric,
    models: Sequence[Path],
    candidates: Sequence[Candidate],
    data_days: float | None,
    registry: str,
) -> Evidence:
    """Measure the models, run the gates, and count the use of the test set."""
    challenger, champion = candidates[0], candidates[1] if len(candidates) > 1 else None
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        with stage("Measure"):
            snapshot, checked, unseen = open_unseen(
                request.source,
                request.columns,
                rubric,
                models,
                folder=Path(scratch) / "snapshot",
                check=lambda snapshot: require_slices(snapshot, request.slice_by),
            )
            predicted = [predict(model, snapshot, unseen.part, slice_by=request.slice_by) for model in models]
            table = predicted[0].predictions
            timed = latency_sample(snapshot.take(table["row"]))
            scorers = [Scorer.load(model) for model in models]
            latencies = [measure_latency(scorer.score, timed) for scorer in scorers]
            golden = check_golden(scorers[0], models[0])
        with stage("Gates"):
            run = run_gates_elsewhere(
                models[0], snapshot, table, rubric, columns=request.slice_by, limits=request.gates
            )
            # A leak that its training has found is a reason to refuse it, whatever it is measured on now.
            gates = [*run, *(_trained_leak(models[0]) or [leak_elsewhere(unseen)])]
            for verdict in gates:
                say(verdict.sentence())
    # Counted only now: if a measurement fails, it has revealed nothing. Documents that a model has seen are part of the
    # set, see `UseLog.ids`.
    ids = checked.documents["id"].tolist()
    text_of = dict(zip(ids, unseen.digests, strict=True))
    log = UseLog(registry, ids, unseen.digests)
    scores, best = ChampionScores(registry), None
    if champion:
        best = scores.best(table, text_of, rubric, but=(challenger.digest, champion.digest))
        scores.keep(log.digest, champion.digest, predicted[1].predictions, text_of)
    wear = log.record(challenger.digest, champion.digest if champion else "", rubric=rubric.name)
    return Evidence(
        rubric=rubric,
        challenger=challenger,
        predictions=table,
        seen=0,  # `open_unseen` has left them out
        champion=champion,
        champion_predictions=predicted[1].predictions if champion else None,
        best=best,
        slice_columns=predicted[0].slice_columns,
        gates=gates,
        golden=golden,
        latency=latencies[0],
        champion_latency=latencies[1] if champion else None,
        megabytes=sum(file.stat().st_size for file in models[0].rglob("*") if file.is_file()) / 1e6,
        data_days=data_days,
        wear=wear,
        lineage={
            "challenger": challenger.digest,
            "champion": champion.digest if champion else "none",
            "snapshot": snapshot.manifest.version,
            "source": request.source,
            "left out as seen": "; ".join([str(unseen.left_out), *unseen.sentences()]),
        },
    )


def _trained_leak(model: Path) -> list[Verdict]:
    """Return the verdict of the leak gate from the training if it refused the model. Otherwise empty."""
    try:
        data = (model / EVALUATION).read_bytes()
    except FileNotFoundError:
        return []
    found = parse_json(TrainedGates, data, what=EVALUATION, where=str(model), fix="Get it again")
    return [verdict for verdict in found.gates if verdict.name == "leak" and verdict.refused]


def _days_since(date: datetime.date | None) -> float | None:
    if date is None:
        return None
    days = (datetime.datetime.now(datetime.UTC).date() - date).days
    if days < 0:
        raise InputError(f"the newest data are of {date}, which is in the future", fix="Give the day they end")
    return float(days)
