"""Planted challengers: each bad one is refused for its reason, and a better one is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from assay.errors import InputError
from assay.evaluation.compare import SliceDifference
from assay.gates import Verdict
from assay.inference import GoldenReport
from assay.metrics import Interval, Outcomes, measure
from assay.metrics.bootstrap import Difference, Resampled
from assay.metrics.cautious import cautious_difference
from assay.promotion import Judgement, PromotionLimits, promotion_report, rules_table, spending
from assay.promotion.champions import ChampionScores, Earlier
from assay.promotion.evidence import Evidence
from assay.promotion.gate import apply_rules
from assay.promotion.judgement import Candidate
from assay.promotion.latency import Latency
from assay.promotion.limits import read_promotion_limits
from assay.promotion.rules import calibration, comparison
from assay.promotion.slices import slice_rule
from assay.promotion.spending import detectable
from assay.promotion.test_set import Wear
from assay.report import render_html
from assay.rubric import load_rubric

RUBRIC = load_rubric("education")
CHALLENGER, CHAMPION = Candidate("new", "c" * 64), Candidate("champion", "a" * 64)
PASSED = [Verdict(name, True) for name in ("shortcuts", "counterfactuals", "leak")]
WEAR = Wear("d" * 64, 400, 3, "2026-01-31T00:00:00+00:00", 40.0)


def table_of(label: np.ndarray, noise: np.ndarray) -> pd.DataFrame:
    """Predictions whose p_keep is calibrated for noise with a standard deviation of 1."""
    score, n = label + noise, len(label)
    # P(label >= 3 | score), for labels 0 to 5 that are equally frequent.
    likely = np.exp(-((score[:, None] - np.arange(6)) ** 2) / 2)
    return pd.DataFrame(
        {
            "id": [f"d{i:05d}" for i in range(n)],
            "cluster": range(n),
            "label": label,
            "score": score,
            "calibrated": np.clip(score, 0, 5),
            "p_keep": likely[:, 3:].sum(axis=1) / likely.sum(axis=1),
            "grade": np.clip(np.round(score), 0, 5).astype(int),
            "keep": score >= 2.5,
            "kind": np.where(np.arange(n) % 4 == 0, "forum", "article"),
        }
    )


def documents(n: int = 400, *, better: float = 0.0, worse_forum: float = 0.0, seed: int = 0) -> Evidence:
    """A champion with noise of 1, and a challenger with as much less; in the forum with as much more."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 6, n).astype(float)
    shared, one, other = (generator.normal(0, np.sqrt(0.5), n) for _ in range(3))
    champion = table_of(label, shared + one)
    noise = (shared + other) * (1 - better)
    noise[champion["kind"] == "forum"] *= 1 + worse_forum
    return Evidence(
        rubric=RUBRIC,
        challenger=CHALLENGER,
        predictions=table_of(label, noise),
        seen=0,
        champion=CHAMPION,
        champion_predictions=champion,
        slice_columns={"kind": "page kind"},
        gates=PASSED,
        golden=GoldenReport(12, 1e-6, 5e-3),
        latency=Latency(20.0, 35.0, 24, 5),
        megabytes=90.0,
        data_days=10.0,
        wear=WEAR,
    )


BUDGETS = PromotionLimits(calibration_error=0.06, latency_ms=50, megabytes=100, data_days=30)
BETTER = documents(better=0.4)


def outcome(judgement: Judgement, rule: str) -> str:
    return next(found.outcome for found in judgement.rules if found.name == rule)


def test_a_truly_better_challenger_is_promoted_and_everything_goes_through_json() -> None:
    judgement = apply_rules(BETTER, BUDGETS)

    assert judgement.verdict == "promoted", judgement.sentence()
    assert judgement.sentence().startswith(
        "new, compared with champion: promoted. It is better: average precision differs from the champion's by +0.0"
    )
    assert {rule.outcome for rule in judgement.rules} == {"kept"}
    fields = json.loads(json.dumps(judgement.to_json(), allow_nan=False))
    assert Judgement.from_json(fields) == judgement
    assert (fields["verdict"], fields["challenger"]["digest"]) == ("promoted", "c" * 64)


SHUFFLED = np.random.default_rng(1).permutation(400)


def shuffled(evidence: Evidence) -> Evidence:
    table = evidence.predictions
    columns = ["score", "calibrated", "p_keep", "grade", "keep"]
    return replace(evidence, predictions=table.assign(**table.loc[SHUFFLED, columns].reset_index(drop=True)))


def raised(evidence: Evidence, power: int) -> Evidence:
    """With a p_keep that is too low everywhere."""
    return replace(evidence, predictions=evidence.predictions.assign(p_keep=evidence.predictions["p_keep"] ** power))


@pytest.mark.parametrize(
    ("challenger", "rule", "sentence"),
    [
        (shuffled(BETTER), "comparison", "It is worse than the champion: average precision differs"),
        (shuffled(BETTER), "ranking", "Its score does not follow the label: Spearman"),
        (
            replace(BETTER, gates=[*PASSED[:2], Verdict("leak", False, ["12 test documents are copies."])]),
            "leak",
            "Gate leak: refused. 12 test documents are copies.",
        ),
        (replace(BETTER, seen=7), "unseen", "It was fitted to 7 of the 400 documents that it is measured on"),
        (replace(BETTER, data_days=31.0), "age", "age of its newest data is 31.0 days, and at most 30 are allowed"),
        (
            replace(BETTER, latency=Latency(20.0, 51.0, 24, 5)),
            "latency",
            "95th percentile of its latency is 51.0 ms, and at most 50 are allowed",
        ),
        (replace(BETTER, megabytes=438.0), "size", "size of its folder is 438.0 MB, and at most 100 are allowed"),
        (raised(BETTER, 2), "calibration", "Its p_keep is not calibrated: its average error is 0.1"),
        (replace(BETTER, golden=GoldenReport(12, 0.2, 5e-3)), "golden", "does not repeat its recorded scores"),
    ],
    ids=["shuffled", "shuffled ranks", "leaky", "seen", "stale", "slow", "too big", "miscalibrated", "golden"],
)
def test_a_planted_challenger_is_refused_for_its_reason(challenger: Evidence, rule: str, sentence: str) -> None:
    judgement = apply_rules(challenger, BUDGETS)

    assert judgement.verdict == "refused"
    assert outcome(judgement, rule) == "broken"
    assert sentence in judgement.sentence()
    if not sentence.startswith(("It is worse", "Its score")):  # shuffled scores are bad in every way
        assert [found.name for found in judgement.rules if found.outcome == "broken"] == [rule]
    page = render_html(promotion_report(judgement))
    assert "refuses" in page
    assert rules_table(judgement).iloc[0]["rule"] in {rule, "comparison"}


def test_the_sentence_shows_the_level_of_the_intervals() -> None:
    """A slice without a document that reaches the threshold has no figure, but counts in the level of the others."""
    without = SliceDifference("genre", "a", 90, 0, {"f1": Difference(None, None, None, None)})
    good = SliceDifference("genre", "b", 90, 40, {"f1": Difference(0.0, -0.1, 0.1, 0.5)})
    small = SliceDifference("genre", "c", 9, 4)

    said = slice_rule([without, good, small], "f1", PromotionLimits()).sentence

    assert "+0.000, 97.5 % interval -0.100 to +0.100." in said
    assert "In none of 1 slices" in said and "2 are too small" in said


def test_a_challenger_that_is_worse_in_one_slice_is_refused_though_better_over_all() -> None:
    # Better than the champion wherever there are articles, and no use at all in forums.
    evidence = documents(1200, better=0.6, worse_forum=9.0)
    label, forum = evidence.predictions["label"], evidence.predictions["kind"] == "forum"
    assert forum.sum() == 300

    judgement = apply_rules(evidence, PromotionLimits(mode="not_worse", margin=0.2))

    assert outcome(judgement, "comparison") == "kept"
    assert outcome(judgement, "slices") == "broken"
    assert "worse than the champion by more than 0.05 in average precision in: page kind forum: -0." in (
        judgement.sentence()
    )
    assert "article" not in judgement.sentence()
    assert {part.value: part.documents for part in judgement.slices} == {"forum": 300, "article": 900}
    assert len(label) == 1200
    assert outcome(apply_rules(evidence, PromotionLimits(slice_documents=301)), "slices") == "kept"


def test_an_equal_one_is_not_better_and_with_enough_documents_not_worse() -> None:
    equal, many = documents(400), documents(3000)
    same = replace(equal, predictions=equal.champion_predictions)

    refused = apply_rules(equal, BUDGETS)

    assert refused.verdict == "refused"
    assert "It is not significantly better: average precision differs" in refused.sentence()
    assert apply_rules(same, BUDGETS).verdict == "refused"
    assert apply_rules(many, replace(BUDGETS, mode="not_worse", margin=0.02)).verdict == "promoted"
    few = apply_rules(documents(120), replace(BUDGETS, mode="not_worse", margin=0.002))
    assert few.verdict == "refused"
    assert "It may be worse by more than 0.002" in few.sentence()


def test_too_few_clusters_leave_it_undecided_however_good_it_is() -> None:
    evidence = BETTER  # which is promoted, with as many clusters as documents
    clusters = np.arange(400) % 40
    few = replace(
        evidence,
        predictions=evidence.predictions.assign(cluster=clusters),
        champion_predictions=evidence.champion_predictions.assign(cluster=clusters),
    )

    judgement = apply_rules(few, BUDGETS)

    assert judgement.verdict == "undecided"
    assert "Too few to decide: 400 documents in 40 clusters" in judgement.sentence()
    assert "at least 50 clusters are needed" in judgement.sentence()
    assert apply_rules(replace(few, seen=1), BUDGETS).verdict == "refused"


def test_without_a_champion_only_the_absolute_limits_apply() -> None:
    first = replace(documents(400), champion=None, champion_predictions=None)

    passed, refused = apply_rules(first, BUDGETS), apply_rules(shuffled(first), BUDGETS)

    assert passed.verdict == "promoted"
    assert "There is no champion yet: only the absolute limits apply." in passed.sentence()
    assert passed.differences == {}
    assert refused.verdict == "refused"
    assert "Its score does not follow the label" in refused.sentence()
    assert Judgement.from_json(json.loads(json.dumps(passed.to_json()))) == passed
    assert "champion is better" not in render_html(promotion_report(passed))


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ({"gates": PASSED[:2]}, "Gate leak was not run."),
        ({"golden": None}, "golden documents were not scored again"),
        ({"latency": None}, "latency is unknown, and at most 50 ms"),
        ({"data_days": None}, "Give the day they end."),
    ],
)
def test_what_was_not_measured_leaves_it_undecided(missing: dict, sentence: str) -> None:
    judgement = apply_rules(replace(BETTER, **missing), BUDGETS)

    assert judgement.verdict == "undecided"
    assert sentence in judgement.sentence()


def test_a_gate_without_a_verdict_is_noted_and_refuses_nothing() -> None:
    judgement = apply_rules(replace(BETTER, gates=[Verdict("shortcuts", None, ["Too few."]), *PASSED[1:]]), BUDGETS)

    assert judgement.verdict == "promoted"
    assert outcome(judgement, "shortcuts") == "note"


def test_a_worn_out_test_set_warns_or_refuses_as_configured() -> None:
    worn = replace(BETTER, wear=replace(WEAR, uses=21))

    warned, refused = apply_rules(worn, BUDGETS), apply_rules(worn, replace(BUDGETS, worn_out="refuse"))

    assert (warned.verdict, outcome(warned, "test set")) == ("promoted", "note")
    assert "Label a new one" in render_html(promotion_report(warned))
    assert refused.verdict == "refused"
    assert "its documents have served 21 times, and 20 are allowed" in refused.sentence()
    old = apply_rules(replace(BETTER, wear=replace(WEAR, days=400.0)), replace(BUDGETS, worn_out="refuse"))
    assert "they have served for 400 days, and 365 are allowed" in old.sentence()


def test_a_calibrated_model_is_not_refused_for_having_few_documents() -> None:
    strict = PromotionLimits(calibration_error=0.03)

    def word(evidence: Evidence, limits: PromotionLimits = strict) -> str:
        outcomes = Outcomes.of(evidence.predictions, RUBRIC)
        metrics = {name: Interval(value, None, None) for name, value in measure(outcomes).items()}
        return calibration(outcomes, evidence.predictions["cluster"].to_numpy(), metrics, limits, seed=0).outcome

    assert sum(word(documents(100, seed=seed)) == "kept" for seed in range(200)) >= 180
    assert sum(word(raised(documents(100, seed=seed), 4)) == "broken" for seed in range(200)) >= 160
    assert word(documents(100), replace(strict, brier=0.01)) == "broken"


@pytest.mark.parametrize(
    ("p_keep", "reason"),
    [
        (lambda odds: expit(odds), ""),
        (lambda odds: np.full(len(odds), 0.15), "times those expected"),
        (lambda odds: np.full(len(odds), 0.05), "it is the same for all documents"),
        (lambda odds: expit(odds + np.log(2)), "times those expected"),
        (lambda odds: expit(2.2 * odds), "the slope of its log odds is"),
        (lambda odds: expit(np.random.default_rng(1).permutation(odds)), "the slope of its log odds is"),
    ],
    ids=["right", "constant .15", "constant .05", "doubled odds", "too extreme", "shuffled"],
)
def test_where_few_documents_are_positive_a_wrong_p_keep_is_refused(p_keep: Callable, reason: str) -> None:
    """An average error of .1 says nothing there: each of these is below it."""
    generator = np.random.default_rng(0)
    odds = generator.normal(-4, 1.5, 2_000)
    label = np.where(generator.random(2_000) < expit(odds), 4.0, 1.0)
    table = table_of(label, odds - label).assign(p_keep=p_keep(odds))
    outcomes = Outcomes.of(table, RUBRIC)
    metrics = {name: Interval(value, None, None) for name, value in measure(outcomes).items()}

    rule = calibration(outcomes, table["cluster"].to_numpy(), metrics, PromotionLimits(calibration_error=0.12), seed=0)

    assert 0.03 < outcomes.positive.mean() < 0.07
    assert (rule.outcome, reason in rule.sentence) == ("broken" if reason else "kept", True)


def test_a_verdict_that_was_edited_is_refused() -> None:
    fields = apply_rules(replace(BETTER, seen=7), BUDGETS).to_json()

    with pytest.raises(InputError, match="is 'promoted', but its rules give 'refused'"):
        Judgement.from_json(fields | {"verdict": "promoted"})
    with pytest.raises(InputError, match="this verdict cannot be read: challenger: field required"):
        Judgement.from_json({"verdict": "promoted"})
    with pytest.raises(InputError, match="given together"):
        apply_rules(replace(BETTER, champion=None), BUDGETS)


def test_limits_are_read_as_people_write_them() -> None:
    limits = read_promotion_limits(["mode=not_worse", " margin = 0.02", "test_uses=5", "latency_ms=40", "margin=0.03"])

    assert limits == PromotionLimits(mode="not_worse", margin=0.03, test_uses=5, latency_ms=40.0)
    for given, complaint in (
        ("speed=3", "no limit 'speed'"),
        ("mode=equal", "the limit 'mode=equal' cannot be read: mode: input should be 'better' or 'not_worse'"),
        ("margin=much", "the limit 'margin=much' cannot be read: margin: input should be a valid number"),
        ("margin=0", "margin 0 must be above 0"),
        ("margin=nan", "margin nan"),
        ("test_uses=1.5", "test_uses: input should be a valid integer"),
        ("latency_ms=-1", "latency_ms -1.0 must be above 0"),
        ("slice_documents=5", "at least 20"),
    ):
        with pytest.raises(InputError, match=complaint):
            read_promotion_limits([given])


def test_each_decision_has_its_share_of_the_chance_of_a_year() -> None:
    found = Difference(0.05, 0.02, 0.08, 0.99)
    once, weekly = PromotionLimits(decisions_a_year=1), PromotionLimits()

    def word(limits: PromotionLimits, decisions: int = 1) -> str:
        return comparison(found, "f1", limits, 400, decisions=decisions).outcome

    assert word(once) == "kept"
    assert comparison(found, "f1", once, 400).sentence.startswith(
        "It is better: F1 differs from the champion's by +0.050, 95 % interval +0.020 to +0.080. These documents would "
        "show a gain of 0.043 four times in five"
    )
    assert word(weekly) == "broken", "one of 52 needs 3.3 standard errors, not 2"
    assert "99.9 % interval -0.001 to +0.101" in comparison(found, "f1", weekly, 400).sentence
    assert "would show a gain of 0.064 four times in five" in comparison(found, "f1", weekly, 400).sentence
    assert word(once, 2) == "open", "the chance is spent"
    assert (
        "decision 2 of the last 365 days, and 1 were planned"
        in comparison(found, "f1", once, 400, decisions=2).sentence
    )
    assert word(weekly, 53) == "broken"
    equal = PromotionLimits(mode="not_worse", margin=0.06, decisions_a_year=1)
    assert "would pass an equal challenger 98 times in 100" in comparison(found, "f1", equal, 400).sentence


def test_the_stated_gain_is_seen_four_times_in_five() -> None:
    generator, error, clusters = np.random.default_rng(0), 0.02, 300
    limits, half = PromotionLimits(), 1.968 * error
    gain = detectable(Difference(0.0, -half, half, 0.5), clusters, limits.decisions_a_year)
    assert gain is not None

    seen = [
        comparison(Difference(v, v - half, v + half, 0.9), "f1", limits, clusters).outcome == "kept"
        for v in generator.normal(gain, error, 2000)
    ]

    assert 0.78 < np.mean(seen) < 0.82


def simulated_years(years: int, weeks: int, n: int, limits: PromotionLimits, *, nominal: int = 0) -> float:
    """Share of years in which any of the weekly challengers, all as good as the champion, is promoted.

    `nominal`: planned decisions, if not those of `limits`. Figures are means over clusters, with one test set a year.
    """
    generator, promoted = np.random.default_rng(0), 0
    for _ in range(years):
        # All challengers of the year meet the same champion on the same documents.
        champion = generator.normal(size=n)
        for _ in range(weeks):
            gains = 0.3 * (generator.normal(size=n) - champion)
            value, spread = gains.mean(), gains.std(ddof=1) / np.sqrt(n)
            half = spending.reach(n, 1) * spread
            found = Difference(value, value - half, value + half, 0.5)
            if comparison(found, "f1", replace(limits, decisions_a_year=nominal or weeks), n).outcome == "kept":
                promoted += 1
                break
    return promoted / years


def test_of_a_years_equal_challengers_one_is_promoted_in_no_more_years_than_stated() -> None:
    limits = PromotionLimits()

    assert simulated_years(200, 52, 200, limits, nominal=1) > 0.15, "at 2.5 % each, in every fifth year and more"
    assert simulated_years(200, 52, 200, limits) <= 0.025


def test_not_worse_is_measured_against_the_best_earlier_champion() -> None:
    limits = replace(BUDGETS, mode="not_worse", margin=0.03, decisions_a_year=1)
    today = documents(1200)
    best = Earlier("b" * 32, documents(1200, better=0.5).predictions)
    worse = Earlier("b" * 32, documents(1200, better=-0.3).predictions)

    assert apply_rules(today, limits).verdict == "promoted"
    refused = apply_rules(replace(today, best=best), limits)

    assert refused.verdict == "refused"
    assert "It may be worse by more than 0.03" in refused.sentence()
    assert "differs from the earlier champion bbbbbbbbbbbb's by -0." in refused.sentence()
    assert apply_rules(replace(today, best=worse), limits).verdict == "promoted"


@pytest.mark.full
def test_twenty_challengers_that_are_not_worse_do_not_lead_downwards(tmp_path: Path) -> None:
    """Each a little worse than the last champion: without the memory of the test set, many would be promoted."""
    generator, n, url = np.random.default_rng(5), 1000, str(tmp_path)
    label = generator.integers(0, 6, n).astype(float)
    names = {f"d{i:05d}": f"{i:032x}" for i in range(n)}
    shared = generator.normal(size=n)
    limits = PromotionLimits(mode="not_worse", margin=0.03, decisions_a_year=1)

    def model(noise: float) -> pd.DataFrame:
        own = generator.normal(size=n) * 0.2
        return table_of(label, noise * (shared + own))

    def run(*, memory: bool) -> list[float]:
        scores, champion, values, noise = ChampionScores(f"{url}/{memory}"), (model(0.8), "0" * 64), [], 0.8
        for number in range(1, 21):
            noise *= 1.02
            challenger = (model(noise), f"{number:032x}" * 2)
            best = scores.best(champion[0], names, RUBRIC, but=(challenger[1], champion[1])) if memory else None
            scores.keep("s" * 64, champion[1], champion[0], names)
            one, other = (
                Resampled.of(t, RUBRIC, resamples=100, metrics=["average_precision"])
                for t in (challenger[0], champion[0])
            )
            rule = comparison(cautious_difference(one, other, "average_precision"), "average_precision", limits, n)
            if rule.outcome == "kept" and best is not None:
                first = Resampled.of(best.predictions, RUBRIC, resamples=100, metrics=["average_precision"])
                if first.values["average_precision"] > other.values["average_precision"]:
                    found = cautious_difference(one, first, "average_precision")
                    rule = comparison(found, "average_precision", limits, n)
            if rule.outcome == "kept":
                champion = challenger
            values.append(measure(Outcomes.of(champion[0], RUBRIC))["average_precision"])
        return values

    without, with_memory = run(memory=False), run(memory=True)

    assert without[0] - without[-1] > limits.margin, "this is the fault"
    assert with_memory[0] - min(with_memory) <= limits.margin


@pytest.mark.full
@pytest.mark.parametrize("n", [60, 150])
def test_one_that_is_no_better_passes_as_better_no_more_often_than_stated(n: int) -> None:
    """Two models with errors from the same distribution, 400 test sets: at most 2.5 % in either direction."""
    passed = 0
    for seed in range(400):
        evidence = documents(n, seed=seed)
        tables = (evidence.predictions, evidence.champion_predictions)
        one, other = (Resampled.of(t, RUBRIC, resamples=300, seed=seed, metrics=["average_precision"]) for t in tables)
        for difference in (
            cautious_difference(one, other, "average_precision"),
            cautious_difference(other, one, "average_precision"),
        ):
            limits = PromotionLimits(decisions_a_year=1)
            passed += comparison(difference, "average_precision", limits, n).outcome == "kept"

    assert passed / 800 <= 0.025
