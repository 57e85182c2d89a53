"""The table of cuts: what each target keeps, on the calibration documents and on the test part."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from assay.errors import InputError
from assay.model import Calibration, Cut, KeepTarget
from assay.report import Block, Table
from assay.rubric import Rubric
from assay.storage import only_known_fields

TARGETS = ("labels", "f1", "precision~0.5", "precision=0.5", "precision~0.8", "precision=0.8")
RECALLS = ("recall~0.8", "recall=0.8", "recall~0.95", "recall=0.95")


@only_known_fields
@dataclass(frozen=True)
class CutRow:
    """The cut for one target, and what it keeps."""

    target: str
    """Target as KeepTarget spells it, such as `precision=0.8`."""
    chosen: bool
    """True for the target of the model's own cut."""
    refused: str = ""
    """Reason why the calibration documents cannot guarantee the target; there are then no figures."""
    score: float | None = None
    """Lowest score that is kept; None if nothing is kept."""
    calibration: dict[str, float | None] = field(default_factory=dict)
    """`share`, `precision` and `recall` on the documents that chose the cut, with the ends of the 95 % intervals of
    Clopper and Pearson (1934): `precision_low` and so on."""
    test: dict[str, float | None] = field(default_factory=dict)
    """`share`, `precision` and `recall` on the test part, which did not choose the cut."""


def measure_cuts(calibration: Calibration, predictions: pd.DataFrame, rubric: Rubric) -> list[CutRow]:
    """Return a row for each usual target and for the model's own. Models without a curve have no rows."""
    curve = calibration.curve
    if curve is None:
        return []
    score = predictions["score"].to_numpy()
    reaches = predictions["label"].to_numpy() >= rubric.threshold
    rows = []
    # The model's own target comes first, and once, if it is also a usual one.
    for target in dict.fromkeys([calibration.target, *TARGETS, *RECALLS]):
        own = target == calibration.target
        try:
            cut = curve.choose(KeepTarget.parse(target))
        except InputError as error:
            # The place and the advice of the message are about an option of training.
            rows.append(CutRow(target, own, refused=str(error).partition(" (")[0]))
            continue
        # A cut without a score keeps nothing.
        kept = score >= (np.inf if cut.score is None else cut.score)
        rows.append(CutRow(target, own, "", cut.score, _promised(cut), _measured(kept, reaches)))
    return rows


def _promised(cut: Cut) -> dict[str, float | None]:
    precision, recall = cut.precision_interval, cut.recall_interval
    return {
        "share": cut.share,
        "precision": cut.precision,
        "precision_low": precision[0],
        "precision_high": precision[1],
        "recall": cut.recall,
        "recall_low": recall[0],
        "recall_high": recall[1],
    }


def _measured(kept: np.ndarray, reaches: np.ndarray) -> dict[str, float | None]:
    right = int((kept & reaches).sum())
    return {
        "share": float(kept.mean()),
        "precision": right / int(kept.sum()) if kept.any() else None,
        "recall": right / int(reaches.sum()) if reaches.any() else None,
    }


def cut_blocks(rows: list[CutRow], rubric: Rubric) -> list[Block]:
    """Return the table of cuts, for the report and the card."""
    table = pd.DataFrame(
        [
            {
                "kept for": row.target + (" (this model's)" if row.chosen else ""),
                "share kept": _percent(row.calibration.get("share")),
                "precision": _with_ends(row, "precision"),
                "recall": _with_ends(row, "recall"),
                "on the test part": row.refused
                or f"{_percent(row.test['share'])} kept, precision {_percent(row.test['precision'])}, "
                f"recall {_percent(row.test['recall'])}",
            }
            for row in rows
        ]
    )
    note = (
        f"Cuts of the kept class, {rubric.keep_name}, chosen on the calibration documents. Everything here is about "
        "documents like these, with as many good ones among them: a corpus of another mix has another precision, and "
        "`assay audit` measures it. A target with = holds with 95 % confidence, one with ~ on these documents only; "
        "labels keeps as many documents as have a label that reaches the threshold. In brackets: exact 95 % intervals "
        "over clusters. `assay select --keep` accepts any of these targets."
    )
    return [Table(table, note)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _with_ends(row: CutRow, name: str) -> str:
    value = row.calibration.get(name)
    if value is None:
        return "–"
    return f"{value:.2f} ({row.calibration[f'{name}_low']:.2f} to {row.calibration[f'{name}_high']:.2f})"
