"""Figures of an evaluation as words and tables: for the terminal, the report, the card."""

from collections.abc import Mapping

import pandas as pd

from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.evaluate import Evaluation
from assay.language import identify_language
from assay.metrics import LEAST_CLUSTERS, LEAST_SLICE, METRICS, Difference, Interval, Raters, told_apart
from assay.report import Block, Facts, Figure, Prose, Table, chart_intervals

NAMES = {"model": "this model", **BASELINE_NAMES}
SHOWN = ("f1", "average_precision", "precision", "recall", "qwk", "spearman", "mae", "macro_f1", "calibration_error")
MOST_SMALL = 40
"""Slices shown that are too small to be measured."""


def in_words(interval: Interval) -> str:
    """`0.71 (0.62 to 0.79)`; the figure alone where there is no interval."""
    if interval.value is None:
        return "undefined"
    if interval.low is None or interval.high is None:
        return _two(interval.value)
    return f"{_two(interval.value)} ({_two(interval.low)} to {_two(interval.high)})"


def seeds_in_words(evaluation: Evaluation, name: str) -> str:
    """The model's figure in words, with the standard deviation over seeds where it is known: `…, seeds ± 0.012`."""
    spread = evaluation.seed_spread(name)
    return in_words(evaluation.metrics[name]) + ("" if spread is None else f", seeds ± {spread:.3f}")


def _figure(evaluation: Evaluation, system: str, metrics: Mapping[str, Interval], name: str) -> str:
    return seeds_in_words(evaluation, name) if system == "model" else in_words(metrics[name])


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def describe(text: str) -> str:
    """How long a document is, and in which language: `312 words, 1,940 characters, en`."""
    language = identify_language(text)
    return f"{len(text.split()):,} words, {len(text):,} characters, {language.code or 'no language'}"


def _systems(evaluation: Evaluation) -> dict[str, dict[str, Interval]]:
    order = [name for name in NAMES if name in evaluation.baselines]
    return {"model": evaluation.metrics, **{name: evaluation.baselines[name] for name in order}}


def summary_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a system, with the metrics of the kept class and the ranking; for the terminal and the Deck."""
    names = ("f1", "average_precision", "qwk", "spearman", "calibration_error")
    return pd.DataFrame(
        [
            {
                "": NAMES[system],
                **{METRICS[name].title: _figure(evaluation, system, metrics, name) for name in names},
            }
            for system, metrics in _systems(evaluation).items()
        ]
    )


def figures(evaluation: Evaluation) -> list[Block]:
    """The table of all metrics and systems, the primary one as a chart, and the gains over the baselines."""
    systems = _systems(evaluation)
    table = pd.DataFrame(
        [
            {
                "": METRICS[name].title + ("" if METRICS[name].higher_is_better else " (less is better)"),
                **{NAMES[system]: _figure(evaluation, system, metrics, name) for system, metrics in systems.items()},
            }
            for name in SHOWN
        ]
    )
    primary = evaluation.rubric.primary_metric
    known = {name: metrics[primary] for name, metrics in systems.items() if metrics[primary].value is not None}
    seeds = max((len(values) for values in evaluation.seeds.values()), default=0)
    blocks: list[Block] = [
        Table(
            table,
            f"The first four rows are about the kept class, {evaluation.rubric.keep_name}. In brackets: 95 % intervals "
            "by bootstrap over clusters of near-duplicates and groups."
            + (f" Seeds: standard deviation over {seeds} trainings that differ in the seed." if seeds > 1 else ""),
        )
    ]
    if known:
        blocks.append(
            Figure(
                chart_intervals(
                    [NAMES[name] for name in known],
                    [float(interval.value or 0) for interval in known.values()],
                    [interval.low for interval in known.values()],
                    [interval.high for interval in known.values()],
                    x=METRICS[primary].title,
                ),
                f"{METRICS[primary].title}, the primary metric of this rubric.",
            )
        )
    if evaluation.gains:
        rows = [
            {
                "compared with": NAMES[name],
                "gain": gains[primary].value,
                "from": gains[primary].low,
                "to": gains[primary].high,
                "p": gains[primary].p,
                "the model is": told_apart(gains[primary]),
            }
            for name, gains in evaluation.gains.items()
        ]
        blocks.append(Table(pd.DataFrame(rows), f"Gain in {METRICS[primary].title}, paired on the same documents."))
        strongest = min(evaluation.gains, key=lambda name: evaluation.gains[name][primary].value or 0)
        caption = f"The model beside {NAMES[strongest]}, the strongest of them: gains in all metrics."
        blocks.append(difference_table(evaluation.gains[strongest], primary, caption))
    return blocks


def beside(evaluation: Evaluation) -> dict[str, str]:
    """The model's Spearman, and what it would be were the labels without noise."""
    if evaluation.raters is None or evaluation.raters.corrected is None:
        return {}
    return {
        "Spearman": in_words(evaluation.metrics["spearman"]),
        "Spearman without the labels' noise": in_words(evaluation.raters.corrected),
    }


def rater_blocks(raters: Raters) -> list[Block]:
    """How far those who made the labels agree, and what follows for the figures."""
    facts = {
        "reliability of one rating": in_words(raters.one),
        "of their mean": in_words(raters.mean),
        "most that a score can show": in_words(raters.ceiling),
    }
    if raters.corrected is not None:
        facts["Spearman without the labels' noise"] = in_words(raters.corrected)
    rows = [
        {
            "": f"{pair.one}, {pair.other}",
            "documents": pair.documents,
            "QWK": in_words(pair.qwk),
            "Spearman": in_words(pair.spearman),
        }
        for pair in raters.pairs
    ]
    return [
        Prose(" ".join(raters.sentences())),
        Facts(facts),
        Table(pd.DataFrame(rows), "Raters in pairs, on documents that both rated."),
    ]


def difference_table(differences: Mapping[str, Difference], primary: str, caption: str) -> Table:
    """All metrics of one comparison; above 0 is better, also in errors."""
    order = [primary, *(name for name in differences if name != primary)]
    rows = [
        {
            "": METRICS[name].title + (", primary" if name == primary else ""),
            "gain": (found := differences[name]).value,
            "from": found.low,
            "to": found.high,
            "p": found.p,
            "p, corrected": None if name == primary else found.p_holm,
            "the model is": told_apart(found),
        }
        for name in order
    ]
    return Table(
        pd.DataFrame(rows),
        f"{caption} Above 0 is better, also in errors. p: two-sided, by the paired bootstrap. The primary metric was "
        f"named beforehand; the {len(order) - 1} others are called better or worse only after Holm's correction.",
    )


def pair_table(evaluation: Evaluation) -> Table:
    """How often the score orders two documents rightly, by the distance of their labels."""
    rows = [
        {"labels differ by": f"{p.low:g} to {p.high:g}", "pairs": p.pairs, "ordered rightly": in_words(p.accuracy)}
        for p in evaluation.pairs
    ]
    return Table(
        pd.DataFrame(rows),
        "Of pairs of test documents whose labels differ by so much, the share that the score puts in their order; "
        "equal scores count half, and 0.50 is chance.",
    )


def slice_blocks(evaluation: Evaluation) -> list[Block]:
    """Each slice with its support; figures where it is large enough, intervals where it has clusters enough."""
    if not evaluation.slices:
        return [Prose("There is none.")]
    # Small ones stand below the others of their column; of many, as sites are, only the largest are shown.
    columns = list(dict.fromkeys(part.column for part in evaluation.slices))
    ordered = sorted(evaluation.slices, key=lambda part: (columns.index(part.column), not part.metrics))
    small = sorted((part for part in ordered if not part.metrics), key=lambda part: -part.documents)
    left_out = {id(part) for part in small[MOST_SMALL:]}
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            **{
                METRICS[name].title: in_words(part.metrics[name]) if part.metrics else ""
                for name in ("f1", "average_precision", "spearman")
            },
        }
        for part in ordered
        if id(part) not in left_out
    ]
    caption = f"No figures below {LEAST_SLICE} documents, no intervals below {LEAST_CLUSTERS} clusters."
    if left_out:
        caption += f" {len(left_out):,} slices that are smaller still are not shown."
    return [Table(pd.DataFrame(rows), caption)]
