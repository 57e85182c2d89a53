"""All promotion rules applied: evidence in, a judgement out. Nothing is measured and nothing is promoted here."""

from dataclasses import replace

import pandas as pd

from assay.errors import InputError
from assay.evaluation import SliceDifference
from assay.metrics import Difference, Interval, Outcomes, Resampled, cautious_difference, correct
from assay.promotion import rules
from assay.promotion.champions import Earlier
from assay.promotion.evidence import Evidence
from assay.promotion.judgement import Judgement, Rule
from assay.promotion.limits import PromotionLimits
from assay.promotion.slices import compare_slices, slice_rule
from assay.promotion.spending import detectable


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
    clusters, gain = int(table["cluster"].nunique()), None
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
        decisions = evidence.wear.decisions if evidence.wear else 1
        against[0] = rules.comparison(differences[primary], primary, limits, clusters, decisions=decisions)
        gain = detectable(differences[primary], clusters, limits.decisions_a_year)
        if limits.mode == "not_worse" and evidence.best and against[0].outcome == "kept":
            against[0] = _than_the_best(evidence, evidence.best, limits, against[0], seed)
        against.append(slice_rule(slices, primary, limits))
    return Judgement(
        challenger=evidence.challenger,
        champion=evidence.champion,
        rules=[
            rules.enough_documents(evidence),
            rules.unseen_documents(evidence),
            *against,
            rules.calibration(Outcomes.of(table, rubric), table["cluster"].to_numpy(), metrics, limits, seed),
            *rules.budgets(evidence, limits),
            rules.golden_documents(evidence),
            *rules.gates(evidence),
            rules.wear(evidence, limits),
        ],
        limits=limits,
        primary=primary,
        documents=len(table),
        clusters=clusters,
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
        detectable=gain,
        lineage=dict(evidence.lineage),
    )


def _than_the_best(evidence: Evidence, best: Earlier, limits: PromotionLimits, kept: Rule, seed: int) -> Rule:
    """Return the rule `comparison` against the best earlier champion, or `kept` if that is no better than today's.

    Without it, each champion could be a margin worse than the last one.
    """
    primary, shared = evidence.rubric.primary_metric, best.predictions["id"]
    assert evidence.champion_predictions is not None

    def measured(table: pd.DataFrame) -> Resampled:
        there = table[table["id"].isin(shared)]
        return Resampled.of(there, evidence.rubric, seed=seed, metrics=[primary])

    earlier, mine = measured(best.predictions), measured(evidence.predictions)
    ahead = earlier.minus(measured(evidence.champion_predictions))[primary].value
    if ahead is None or ahead <= 0:
        return kept
    clusters = int(best.predictions["cluster"].nunique())
    than = f"the earlier champion {best.digest[:12]}"
    rule = rules.comparison(cautious_difference(mine, earlier, primary), primary, limits, clusters, than=than)
    return rule if rule.outcome != "kept" else replace(kept, sentence=f"{kept.sentence} {rule.sentence}")
