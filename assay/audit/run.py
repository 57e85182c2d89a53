"""Draw the sample of an audit into a folder, and measure it when its file is filled in. Without Flyte."""

import hashlib
import heapq
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from assay.audit.estimate import Audit, measure_audit
from assay.audit.plan import AuditPlan, Side, Stratum, strata_of
from assay.audit.report import audit_report
from assay.errors import InputError
from assay.model import Aspect, calibrated_info
from assay.options import group
from assay.progress import say, stage
from assay.report import write_html
from assay.scoring import BINS, REJECTED, PartFolder, Scores
from assay.selection import DUPLICATES
from assay.sources import Columns, Period, open_corpus, open_source
from assay.storage import Snapshot, digest_folder, join, read_parquet, staged_file, staged_folder

TO_FILL, RESULT = "to-label.csv", "audit.json"
LONGEST = 20_000
"""Characters of a text in the file to fill: cells of a spreadsheet hold 32,767."""


REJECTED_LIKELY = 0.005
"""Probability of being good that a document rejected in a cascade is drawn with. It decides sizes of strata alone."""


@dataclass(frozen=True)
class AuditRequest:
    """The sample of an audit."""

    selection: str
    """Selection that `assay select` wrote, a folder or URL."""
    source: str
    """Corpus that it was selected from, as `assay select` was given it."""
    model: str = "champion"
    """Version or alias of the registry, or a model folder: the one that scored the corpus."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    documents: int = 300
    """Documents of the sample: half of them from the selection, half from what was left out."""
    seed: int = 0
    """Seed of the draw."""

    def __post_init__(self) -> None:
        if self.documents < 40:
            raise InputError(f"a sample of {self.documents} documents", where="audit", fix="Give 40 or more")


def draw_audit(request: AuditRequest, model: Path, scores_root: str, output: Path) -> AuditPlan:
    """Write the new folder `output` with the plan and the file to fill, `to-label.csv`.

    The file has the documents in random order and does not tell which were selected, so that whoever labels them is not
    led. Only one part of the scores is in memory at a time. Raise InputError if the selection, the corpus and the model
    do not belong together.
    """
    info, selection = calibrated_info(model), Snapshot.open(request.selection)
    given = selection.manifest.provenance
    if not {"corpus", "model", "scores", "request"} <= set(given):
        raise InputError("no selection", where=request.selection, fix="Name a folder that `assay select` wrote")
    corpus = open_corpus(request.source, request.columns, scores_root, request.period)
    for name, found in (("corpus", corpus.manifest.version), ("model", digest_folder(model))):
        if given[name] != found:
            raise InputError(
                f"this selection is of another {name}: {given[name][:12]}, and not {found[:12]}",
                where=request.selection,
                fix=f"Name the {name} that it was made with",
            )
    by = given["request"].get("by") or info.rubric.name
    aspect = info.aspects[info.output_of(by)]
    scores = Scores.complete(PartFolder.open(join(scores_root, given["scores"])))
    if aspect in info.others:
        scores = scores.by(aspect.rubric)
    with stage("Sample"):
        taken = np.concatenate([batch[0].to_numpy() for batch in selection.batches(["corpus_row"])])
        fallen = set(read_parquet(join(selection.url, DUPLICATES), ["id"])["id"].to_pylist())
        sides, excluded = _sides(scores, np.sort(taken), fallen)
        strata = [
            *strata_of(sides[True], selected=True, sample=request.documents // 2),
            *strata_of(sides[False], selected=False, sample=request.documents - request.documents // 2),
        ]
        rows = _sample(scores, np.sort(taken), fallen, strata, request.seed)
        texts = dict(zip(rows, corpus.take([row for row, _ in rows.values()]), strict=True))
        plan = AuditPlan(
            selection=selection.manifest.version,
            corpus=given["corpus"],
            model=given["model"],
            threshold=aspect.rubric.threshold,
            target=_target(given["request"], aspect),
            seed=request.seed,
            strata=tuple(strata),
            ids={name: stratum for name, (_, stratum) in sorted(rows.items())},
            excluded=excluded,
        )
        # By the hash, not by stratum or id: the order must not tell which documents were selected.
        order = sorted(rows, key=lambda name: _draw(name, request.seed + 1))
        with staged_folder(output) as folder:
            table = pd.DataFrame({"id": order, "label": "", "text": [texts[name][:LONGEST] for name in order]})
            table.to_csv(folder / TO_FILL, index=False)
            plan.write(folder)
        say(f"{len(order)} documents in {len(strata)} strata; fill the column label of {output / TO_FILL}")
    return plan


def finish_audit(folder: Path, labels: str = "") -> Audit:
    """Measure the audit in a folder, and write `audit.json` and its page there.

    `labels`: file with the columns `id` and `label`; by default the one that was to be filled. Raise InputError for
    labels that cannot be used, and for too few of them.
    """
    plan = AuditPlan.read(folder)
    found = measure_audit(plan, read_labels(labels or str(folder / TO_FILL)))
    with staged_file(folder / RESULT) as file:
        file.write_text(json.dumps(found.to_json(), indent=2) + "\n", encoding="utf-8")
    write_html(audit_report(plan, found), (folder / RESULT).with_suffix(".html"))
    return found


def read_labels(place: str) -> dict[str, float]:
    """Return id -> label from a filled file. Rows without a label are left out. Raise InputError for other texts."""
    where, fix = place, "Give columns id and label, and a number or nothing as label"
    # Ids as they are written: 007 is not 7.
    frames = [batch.to_pandas() for batch in open_source(place).batches(names=["id"])]
    table = pd.concat(frames) if frames else pd.DataFrame()
    if not {"id", "label"} <= set(table.columns):
        raise InputError(f"the columns are {', '.join(map(str, table.columns)) or 'missing'}", where=where, fix=fix)
    labels: dict[str, float] = {}
    for number, (name, label) in enumerate(zip(table["id"], table["label"], strict=True), start=1):
        text = "" if label is None else str(label).strip()
        if text in ("", "nan", "None", "<NA>"):
            continue
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"row {number}: the label {text!r} is no number", where=where, fix=fix)
        if labels.get(str(name), value) != value:
            raise InputError(f"row {number}: {name!r} has two labels", where=where, fix="Give one row a document")
        labels[str(name)] = value
    return labels


def _documents(
    scores: Scores, taken: np.ndarray, fallen: set[str], columns: list[str]
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the documents of each part in scope, with `row`, and True for the selected ones.

    What a cheap model rejected is in scope, too: it has the lowest score, so that it is in the lowest stratum.
    """
    for part, table in scores.rows([*columns, "id", "score", "reason", "in_scope"]):
        table = table.assign(row=np.arange(part.start, part.stop))
        table["score"] = table["score"].mask(table["reason"] == REJECTED, scores.histogram.bins.low)
        if "p_keep" in table:
            table["p_keep"] = table["p_keep"].mask(table["reason"] == REJECTED, REJECTED_LIKELY)
        table = table[(table["reason"].isna() | (table["reason"] == REJECTED)) & table["in_scope"]]
        selected = np.isin(table["row"].to_numpy(), taken)
        kept = selected | ~table["id"].isin(fallen).to_numpy()
        yield table[kept], selected[kept]


def _sides(scores: Scores, taken: np.ndarray, fallen: set[str]) -> tuple[dict[bool, Side], int]:
    """Return both sides by bins of their scores, and how many documents in scope are in none."""
    bins = scores.histogram.bins
    counts = {side: (np.zeros(BINS, np.int64), np.zeros(BINS)) for side in (True, False)}
    documents = 0
    for table, selected in _documents(scores, taken, fallen, ["p_keep"]):
        place = bins.of(table["score"].to_numpy(float))
        documents += len(table)
        for side in (True, False):
            np.add.at(counts[side][0], place[selected == side], 1)
            np.add.at(counts[side][1], place[selected == side], table["p_keep"].to_numpy(float)[selected == side])
    sides = {}
    for side, (number, likely) in counts.items():
        used = np.flatnonzero(number)
        sides[side] = Side((bins.low + used * bins.width).astype(np.float64), number[used], likely[used])
    return sides, scores.totals.in_scope + scores.totals.rejected - documents


def _sample(
    scores: Scores, taken: np.ndarray, fallen: set[str], strata: list[Stratum], seed: int
) -> dict[str, tuple[int, int]]:
    """Return id -> (row, number of its stratum) of a simple random sample of each stratum."""
    kept: list[list[tuple[float, str, int]]] = [[] for _ in strata]
    bins = scores.histogram.bins
    for table, selected in _documents(scores, taken, fallen, []):
        # The lower edge of the bin, as in `_sides`: the strata end between bins.
        edge = bins.low + bins.of(table["score"].to_numpy(float)) * bins.width
        for number, stratum in enumerate(strata):
            inside = (selected == stratum.selected) & (edge >= stratum.low) & (edge < stratum.high)
            heap = kept[number]
            for name, row in zip(table.loc[inside, "id"], table.loc[inside, "row"], strict=True):
                # The smallest hashes are a simple random sample, whichever the order of the parts.
                heapq.heappush(heap, (-_draw(str(name), seed), str(name), int(row)))
                if len(heap) > stratum.sample:
                    heapq.heappop(heap)
    return {name: (row, number) for number, heap in enumerate(kept) for _, name, row in heap}


def _draw(name: str, seed: int) -> float:
    digest = hashlib.sha256(f"audit {seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _target(request: dict[str, object], aspect: Aspect) -> str:
    """Return the target that a selection was cut for: its own, or that of the model's cut; empty for other cuts."""
    if request.get("keep"):
        return str(request["keep"])
    cut_otherwise = any(request.get(name) is not None for name in ("token_budget", "share"))
    threshold = request.get("threshold")
    if cut_otherwise or (threshold is not None and threshold != aspect.rubric.threshold):
        return ""
    assert aspect.calibration is not None
    return aspect.calibration.target
