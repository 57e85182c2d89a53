"""Figures of an evaluation as words and tables, for the terminal, the report and the card."""

from collections.abc import Mapping

import pandas as pd

from assay.evaluation.baselines import BASELINE_NAMES
from assay.evaluation.record import Evaluation
from assay.language import identify_language
from assay.metrics import LEAST_CLUSTERS, LEAST_SLICE, METRICS, Difference, Interval, Raters, significance
from assay.report import Block, Callout, Facts, Figure, Prose, Table, chart_intervals

NAMES = {"model": "this model", **BASELINE_NAMES}
SHOWN = ("f1", "average_precision", "precision", "recall", "qwk", "spearman", "mae", "macro_f1", "calibration_error")
MOST_SMALL = 40
"""Largest number of slices without figures that are shown."""


def seeds_in_words(evaluation: Evaluation, name: str) -> str:
    """Return the model's figure in words, with the standard deviation over seeds if it is known: `…, seeds ± 0.012`."""
    spread = evaluation.seed_spread(name)
    return evaluation.metrics[name].in_words() + ("" if spread is None else f", seeds ± {spread:.3f}")


def refit_blocks(evaluation: Evaluation) -> list[Block]:
    """Return what the figures say of the model that ships, if it is another one than the measured one."""
    if not evaluation.refit:
        return []
    return [
        Callout(
            "These figures, the calibration and the verdicts of the gates are those of a model that has not seen these "
            f"documents. The model that ships is another one: the same settings, fitted to all {evaluation.refit:,} "
            "documents, its scores mapped onto those of the measured one. No document is left to measure it on, so "
            "that the figures are an estimate for the procedure. It can be measured on others (assay evaluate)."
        )
    ]


def _figure(evaluation: Evaluation, system: str, metrics: Mapping[str, Interval], name: str) -> str:
    return seeds_in_words(evaluation, name) if system == "model" else metrics[name].in_words()


def describe(text: str) -> str:
    """Return length and language of a document: `312 words, 1,940 characters, en`."""
    language = identify_language(text)
    return f"{len(text.split()):,} words, {len(text):,} characters, {language.code or 'no language'}"


def _systems(evaluation: Evaluation) -> dict[str, dict[str, Interval]]:
    # In the order of NAMES, the strongest first, whatever the order in the file.
    order = [name for name in NAMES if name in evaluation.baselines]
    return {"model": evaluation.metrics, **{name: evaluation.baselines[name] for name in order}}


def summary_table(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row per system, with the metrics of the kept class and the ranking, for the terminal and the Deck."""
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
    """Return the table of all metrics and systems, the primary metric as a chart, and the gains over the baselines."""
    systems = _systems(evaluation)
    table = pd.DataFrame(
        [
            {
                "": METRICS[name].title + ("" if METRICS[name].higher_is_better else " (lower is better)"),
                **{NAMES[system]: _figure(evaluation, system, metrics, name) for system, metrics in systems.items()},
            }
            for name in SHOWN
        ]
    )
    primary = evaluation.rubric.primary_metric
    # A metric may be undefined for one system alone, such as the rank correlation of the constant `majority`.
    known = {name: metrics[primary] for name, metrics in systems.items() if metrics[primary].value is not None}
    seeds = max((len(values) for values in evaluation.seeds.values()), default=0)
    blocks: list[Block] = [
        Table(
            table,
            f"The first four rows are about the kept class, {evaluation.rubric.keep_name}. In brackets: 95 % intervals "
            "for documents like these, with as many good ones among them: exact ones of precision and recall, by "
            "bootstrap of the others, both over clusters of near-duplicates and groups."
            + (f" Seeds: standard deviation over {seeds} trainings that differ only in the seed." if seeds > 1 else ""),
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
                "the model is": significance(gains[primary]),
            }
            for name, gains in evaluation.gains.items()
        ]
        blocks.append(Table(pd.DataFrame(rows), f"Gain in {METRICS[primary].title}, paired on the same documents."))
        # The smallest gain, also if it is negative, belongs to the baseline that is hardest to beat.
        strongest = min(evaluation.gains, key=lambda name: evaluation.gains[name][primary].value or 0)
        caption = f"The model compared with {NAMES[strongest]}, the strongest of them: gains in all metrics."
        blocks.append(difference_table(evaluation.gains[strongest], primary, caption))
    return blocks


def beside(evaluation: Evaluation) -> dict[str, str]:
    """Return the model's Spearman, and its estimate with labels without noise; empty if the raters are unknown."""
    if evaluation.raters is None or evaluation.raters.corrected is None:
        return {}
    return {
        "Spearman": evaluation.metrics["spearman"].in_words(),
        "Spearman without the labels' noise": evaluation.raters.corrected.in_words(),
    }


def rater_blocks(raters: Raters) -> list[Block]:
    """Return the agreement of the raters, and its consequences for the figures."""
    facts = {
        "reliability of one rating": raters.one.in_words(),
        "reliability of their mean": raters.mean.in_words(),
        "largest possible correlation": raters.ceiling.in_words(),
    }
    if raters.corrected is not None:
        facts["Spearman without the labels' noise"] = raters.corrected.in_words()
    rows = [
        {
            "": f"{pair.one}, {pair.other}",
            "documents": pair.documents,
            "QWK": pair.qwk.in_words(),
            "Spearman": pair.spearman.in_words(),
        }
        for pair in raters.pairs
    ]
    return [
        Prose(" ".join(raters.sentences())),
        Facts(facts),
        Table(pd.DataFrame(rows), "Raters in pairs, on documents that both rated."),
    ]


def difference_table(differences: Mapping[str, Difference], primary: str, caption: str) -> Table:
    """Return a table of all metrics of one comparison, the primary metric first."""
    order = [primary, *(name for name in differences if name != primary)]
    rows = [
        {
            "": METRICS[name].title + (", primary" if name == primary else ""),
            "gain": (found := differences[name]).value,
            "from": found.low,
            "to": found.high,
            "p": found.p,
            "p, corrected": None if name == primary else found.p_holm,
            "the model is": significance(found),
        }
        for name in order
    ]
    return Table(
        pd.DataFrame(rows),
        f"{caption} Positive means better, for errors too. p: two-sided, by the paired bootstrap. The primary metric "
        f"was fixed beforehand; the other {len(order) - 1} are called better or worse only after Holm's correction.",
    )


def pair_table(evaluation: Evaluation) -> Table:
    """Return the share of pairs that the score orders rightly, by the distance of their labels."""
    rows = [
        {"labels differ by": f"{p.low:g} to {p.high:g}", "pairs": p.pairs, "ordered rightly": p.accuracy.in_words()}
        for p in evaluation.pairs
    ]
    return Table(
        pd.DataFrame(rows),
        "The share of pairs of test documents with this difference of labels that the score orders rightly. Equal "
        "scores count half; 0.50 is chance.",
    )


def slice_blocks(evaluation: Evaluation) -> list[Block]:
    """Return a table of the slices with their numbers of documents, and with figures if they are large enough."""
    if not evaluation.slices:
        return [Prose("No slices.")]
    # A column such as the site has hundreds of small slices: they come last, and only the largest are shown.
    columns = list(dict.fromkeys(part.column for part in evaluation.slices))
    ordered = sorted(evaluation.slices, key=lambda part: (columns.index(part.column), not part.metrics))
    small = sorted((part for part in ordered if not part.metrics), key=lambda part: -part.documents)
    # By identity: a Slice holds a dict and has no hash.
    left_out = {id(part) for part in small[MOST_SMALL:]}
    rows = [
        {
            "": f"{part.column}: {part.value}",
            "documents": part.documents,
            "reach the threshold": part.positive,
            **{
                METRICS[name].title: part.metrics[name].in_words() if part.metrics else ""
                for name in ("f1", "average_precision", "spearman")
            },
            "label above expected": "" if part.offset is None else f"{part.offset:+.2f}",
            "of further ones": "" if part.shrunk is None else f"{part.shrunk:+.2f}",
        }
        for part in ordered
        if id(part) not in left_out
    ]
    caption = (
        f"No figures below {LEAST_SLICE} documents, no intervals below {LEAST_CLUSTERS} effective clusters. Label "
        "above expected: how far the labels lie above what the scores say, on average; of further ones: the same, "
        "drawn towards the other slices of the column as far as chance explains the difference."
    )
    if left_out:
        caption += f" {len(left_out):,} smaller slices are not shown."
    return [Table(pd.DataFrame(rows), caption)]
