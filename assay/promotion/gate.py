"""All promotion rules applied: evidence in, a judgement out. Nothing is measured and nothing is promoted here."""

from dataclasses import replace

from assay.errors import InputError
from assay.evaluation import SliceDifference
from assay.metrics import Difference, Interval, Outcomes, Resampled, cautious_difference, correct
from assay.promotion import rules
from assay.promotion.evidence import Evidence
from assay.promotion.judgement import Judgement, Rule
from assay.promotion.limits import PromotionLimits
from assay.promotion.slices import compare_slices, slice_rule


def apply_rules(evidence: Evidence, limits: PromotionLimits, *, seed: int = 0) -> Judgement:
    """Return the judgement of all rules on a challenger.

    Without a champion only the absolute limits apply: the score follows the label, calibration, budgets, golden
    documents, gates. Raise InputError if only one of champion and its predictions is given, or if the two models'
    predictions differ in documents, labels or clusters.
    """
    if (evidence.champion is None) != (evidence.champion_predictions is None):
        raise InputError("a champion and its predictions are given together, or neither")
    rubric, table = evidence.rubric, evidence.predictions
    primary = rubric.primary_metric
    mine = Resampled.of(table, rubric, seed=seed)
    metrics = mine.intervals()
    champion_metrics: dict[str, Interval] = {}
    differences: dict[str, Difference] = {}
    slices: list[SliceDifference] = []
    against = [
        Rule("comparison", "note", "There is no champion yet: only the absolute limits apply."),
        rules.ranking(metrics),
    ]
    if evidence.champion_predictions is not None:
        theirs = Resampled.of(evidence.champion_predictions, rubric, seed=seed)
        champion_metrics, differences = theirs.intervals(), correct(mine.minus(theirs), primary)
        # The metric that decides gets the wider of two intervals. It was named beforehand, so its p needs no correction
        # for the number of metrics.
        differences[primary] = replace(cautious_difference(mine, theirs, primary), p_holm=differences[primary].p_holm)
        slices = compare_slices(
            table,
            evidence.champion_predictions,
            evidence.slice_columns,
            rubric,
            least=limits.slice_documents,
            seed=seed,
        )
        against[0] = rules.comparison(differences[primary], primary, limits)
        against.append(slice_rule(slices, primary, limits))
    return Judgement(
        challenger=evidence.challenger,
        champion=evidence.champion,
        rules=[
            rules.enough_documents(evidence),
            rules.unseen_documents(evidence),
            *against,
            rules.calibration(Outcomes.of(table, rubric), metrics, limits, seed),
            *rules.budgets(evidence, limits),
            rules.golden_documents(evidence),
            *rules.gates(evidence),
            rules.wear(evidence, limits),
        ],
        limits=limits,
        primary=primary,
        documents=len(table),
        clusters=int(table["cluster"].nunique()),
        positive=int((table["label"] >= rubric.threshold).sum()),
        metrics=metrics,
        champion_metrics=champion_metrics,
        differences=differences,
        slices=slices,
        gates=list(evidence.gates),
        latency=evidence.latency,
        champion_latency=evidence.champion_latency,
        megabytes=evidence.megabytes,
        wear=evidence.wear,
        lineage=dict(evidence.lineage),
    )
