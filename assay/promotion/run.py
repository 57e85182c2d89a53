"""A challenger before the promotion gate: what is measured for it, without Flyte."""

import datetime
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.errors import InputError
from assay.evaluation import common_rubric, predict, require_metric, require_slices
from assay.gates import GateLimits, Verdict, run_gates_elsewhere
from assay.inference import Scorer, check_golden
from assay.labels import find_unseen, validate
from assay.model import ModelInfo
from assay.progress import say, stage
from assay.promotion.evidence import Evidence
from assay.promotion.gate import apply_rules
from assay.promotion.judgement import Candidate, Judgement
from assay.promotion.latency import latency_sample, measure_latency
from assay.promotion.limits import PromotionLimits
from assay.promotion.report import promotion_report
from assay.promotion.test_set import UseLog
from assay.registry import CHAMPION, Registry, open_model
from assay.report import write_html
from assay.rubric import Rubric
from assay.sources import Columns, acquire, open_source
from assay.storage import digest_folder, staged_file

EVALUATION = "evaluation.json"
"""In the model folder: what the gates said when it was trained."""


@dataclass(frozen=True)
class ChallengeRequest:
    """What `assay challenge` is asked for."""

    challenger: Path
    """A model folder."""
    champion: Path | None
    """The one it has to beat; None where there is none yet."""
    names: tuple[str, str]
    """What people call the two."""
    source: str
    """Labelled documents."""
    columns: Columns
    output: Path
    """The verdict, .json; a page comes to lie beside it."""
    registry: str
    """Where the uses of the test set are counted."""
    slice_by: tuple[str, ...] = ()
    data_until: datetime.date | None = None
    """Date of the newest data that the challenger learned from."""
    limits: PromotionLimits = field(default_factory=PromotionLimits)
    gates: GateLimits = field(default_factory=GateLimits)


@contextmanager
def model_to_beat(name: str, registry: str) -> Iterator[Path | None]:
    """As `open_model`; None where the champion is asked for and the registry has none."""
    with ExitStack() as opened:
        none = name == CHAMPION and not Path(name).exists() and Registry(registry).alias(CHAMPION) is None
        yield None if none else opened.enter_context(open_model(name, registry))


def challenge_champion(request: ChallengeRequest) -> Judgement:
    """Measure a challenger beside the champion on documents that neither has seen; write verdict and page.

    Shortcuts and counterfactuals are asked here; what the leak gate said stands in the model folder since it was
    trained. The test set's use is counted, also where the verdict is bad: that was told too. Raises InputError where
    one was never calibrated, they are the same model or of different scales, or no document is left; then nothing is
    counted and nothing written.
    """
    output, models = request.output, [request.challenger, *([request.champion] if request.champion else [])]
    if output.suffix != ".json" or output.is_dir():
        raise InputError("the verdict is a file of JSON", where=str(output), fix="Give a name that ends in .json")
    challenger, *others = (
        Candidate(name, digest_folder(model)) for name, model in zip(request.names, models, strict=False)
    )
    champion = others[0] if others else None
    if champion and champion.digest == challenger.digest:
        raise InputError(f"{challenger.name} and {champion.name} are the same model", fix="Name another challenger")
    data_days = _days_since(request.data_until)
    infos = [ModelInfo.read(model) for model in models]
    rubric = infos[0].rubric
    if champion:  # which says what it is to be beaten in: no challenger chooses its own metric
        rubric = replace(common_rubric(infos, request.names), primary_metric=infos[1].rubric.primary_metric)
    require_metric(rubric)
    with staged_file(output) as partial:  # first of all: a use of the test set that nobody is told of would be lost
        judgement = _judged(request, rubric, models, challenger, champion, data_days)
        text = json.dumps(judgement.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
        write_html(promotion_report(judgement), output.with_suffix(".html"))  # where this fails, there is no verdict
    return judgement


def _judged(
    request: ChallengeRequest,
    rubric: Rubric,
    models: Sequence[Path],
    challenger: Candidate,
    champion: Candidate | None,
    data_days: float | None,
) -> Judgement:
    """Measured, counted and judged."""
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        with stage("Measure"):
            snapshot = acquire(open_source(request.source), request.columns, Path(scratch) / "snapshot")
            require_slices(snapshot, request.slice_by)
            checked = validate(snapshot, rubric)
            say(f"{len(checked.documents):,} documents, {len(checked.quarantine)} quarantined, {checked.merged} merged")
            unseen = find_unseen(snapshot, checked.documents, models)
            predicted = [predict(model, snapshot, unseen.part, slice_by=request.slice_by) for model in models]
            table = predicted[0].predictions
            timed = latency_sample(snapshot.take(table["row"]))
            scorers = [Scorer.load(model) for model in models]
            latencies = [measure_latency(scorer.score, timed) for scorer in scorers]
            golden = check_golden(scorers[0], request.challenger)
        with stage("Gates"):
            asked = run_gates_elsewhere(
                request.challenger, snapshot, table, rubric, columns=request.slice_by, limits=request.gates
            )
            gates = [*asked, *_leak(request.challenger)]
            for verdict in gates:
                say(verdict.sentence())
    log = UseLog(request.registry, checked.documents["id"].tolist())
    wear = log.record(challenger.digest, champion.digest if champion else "")
    evidence = Evidence(
        rubric=rubric,
        challenger=challenger,
        predictions=table,
        seen=0,
        champion=champion,
        champion_predictions=predicted[1].predictions if champion else None,
        slice_columns=predicted[0].slice_columns,
        gates=gates,
        golden=golden,
        latency=latencies[0],
        champion_latency=latencies[1] if champion else None,
        megabytes=sum(file.stat().st_size for file in request.challenger.rglob("*") if file.is_file()) / 1e6,
        data_days=data_days,
        wear=wear,
        lineage={
            "challenger": challenger.digest,
            "champion": champion.digest if champion else "none",
            "snapshot": snapshot.manifest.version,
            "source": request.source,
            "left out as seen": str(unseen.left_out),
        },
    )
    with stage("Judge"):
        return apply_rules(evidence, request.limits)


def _leak(model: Path) -> list[Verdict]:
    """What the leak gate said when the model was trained; empty where that is not known."""
    try:
        gates = json.loads((model / EVALUATION).read_text(encoding="utf-8")).get("gates", [])
        return [Verdict.from_json(verdict) for verdict in gates if verdict["name"] == "leak"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{EVALUATION} cannot be read: {error!r}", where=str(model), fix="Get it again") from error


def _days_since(date: datetime.date | None) -> float | None:
    if date is None:
        return None
    days = (datetime.datetime.now(datetime.UTC).date() - date).days
    if days < 0:
        raise InputError(f"the newest data are of {date}, which is still to come", fix="Give the day they end")
    return float(days)
