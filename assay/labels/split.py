"""Split into train, calibration and test: units stay in one part, and a document keeps its part permanently."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing import Series
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.errors import InputError
from assay.labels.ledger import PARTS, SET_ASIDE

IntArray: TypeAlias = NDArray[np.int64]
TRAIN = PARTS.index("train")


@dataclass(frozen=True)
class SplitConfig:
    """Sizes of the parts."""

    test: float = 0.2
    """Share of the documents in test, which only measure the finished model; above 0."""
    calibration: float = 0.2
    """Share of the documents in calibration, which fit the calibration map and its cut points; above 0."""
    seed: int = 0
    """Seed of the split of documents that are not in a ledger."""

    def __post_init__(self) -> None:
        for name, share in (("test", self.test), ("calibration", self.calibration)):
            if not 0 < share < 1:
                raise InputError(f"{name} {share:g} must lie between 0 and 1", where="split")
        if self.test + self.calibration >= 1:
            raise InputError(
                f"test {self.test:g} and calibration {self.calibration:g} leave nothing to train on",
                where="split",
                fix="Choose shares whose sum is below 1",
            )

    @property
    def shares(self) -> NDArray[np.float64]:
        """Target shares in the order of PARTS, shape (3,), with sum 1."""
        return np.array([1 - self.calibration - self.test, self.calibration, self.test])


class SplitAssignment(pa.DataFrameModel):
    """The part of every document."""

    id: Series[str] = pa.Field(unique=True)
    part: Series[str] = pa.Field(isin=[*PARTS, SET_ASIDE])
    cluster: Series[int] = pa.Field(ge=0, description="the unit that is never divided between parts")

    class Config:
        strict = True
        coerce = True


@dataclass(frozen=True)
class SplitResult:
    """A split, with what reports state about it."""

    assignment: pd.DataFrame
    """Table SplitAssignment, in the order of the input."""
    new: int
    """Documents assigned for the first time, without those set aside."""
    kept: int
    """Documents that keep the part of an earlier run."""
    set_aside: pd.DataFrame
    """`id` and `reason` of documents that belong to no part."""
    balance: pd.DataFrame
    """`part`, `level`, `documents`, `rows`; `share` of the level in the part's documents, and `overall` in all."""


def join_units(clusters: Sequence[int] | IntArray, groups: Sequence[Any] | None = None) -> IntArray:
    """Return the number of each document's unit, shape (n,), from 0 in the order of their first documents.

    A unit is a connected component of documents that share a near-duplicate cluster or a group. A missing or empty
    group connects nothing.
    """
    cluster, names = pd.factorize(np.asarray(clusters))
    if groups is None:
        return cluster
    group, _ = pd.factorize(pd.Series(list(groups), dtype=object).replace("", None))
    linked = group >= 0
    nodes = len(names) + group.max(initial=-1) + 1
    edges = (cluster[linked], len(names) + group[linked])
    component = connected_components(coo_array((np.ones(linked.sum()), edges), shape=(nodes, nodes)), directed=False)[1]
    return pd.factorize(component[cluster])[0]


def split(
    ids: Sequence[str],
    labels: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[int] | IntArray,
    groups: Sequence[Any] | None = None,
    *,
    known: Mapping[str, str] | None = None,
    keep: Sequence[bool] | NDArray[np.bool_] | None = None,
    levels: Sequence[float] | None = None,
    copies: Sequence[int] | IntArray | None = None,
    elsewhere: NDArray[np.bool_] | None = None,
    config: SplitConfig = SplitConfig(),
) -> SplitResult:
    """Assign n documents to parts, whole units at a time.

    `known`, as Ledger.read returns it: these documents keep their part, and new members of their unit follow them.
    If the known documents of a unit have more than one part, all new members are set aside: the unit is known as a
    component only, so no member can be shown to belong to one part. Among known documents that are one unit without the
    new ones, such as after groups were added, only those of the last part stay: test before calibration before train.
    The others are set aside. `elsewhere`, of shape (n, parts): True for parts that known documents outside this set in
    the same unit have; they count as known documents of the unit.

    The other units are assigned largest first, with ties in an order drawn by the seed. Each goes to the part with the
    least sum of squared deviations from the target numbers of documents, relative to these targets, over all documents
    and over each level. `levels` are by default the whole numbers that the labels span; a label counts as the nearest
    level. If `keep` is given, kept and dropped documents of a level count as two levels. A unit larger than the whole
    share of a part goes to train. The result does not depend on the order of the rows.

    Raise InputError for a repeated id, a label that is not finite, or columns of unequal length. Raise it also if a
    part would be empty or would lack kept or dropped documents; without `keep`, if calibration or test would have one
    of several levels.
    """
    table = _table(ids, labels, clusters, groups, keep, copies, levels)
    by_id = table.sort_values("id", ignore_index=True)  # so that the order of the rows cannot matter
    unit = join_units(by_id["cluster"].to_numpy(), None if groups is None else by_id["group"].tolist())

    old = by_id["id"].map(dict(known or {})).map({part: code for code, part in enumerate(PARTS)})
    code = old.fillna(-1).to_numpy(dtype=np.int64)
    sides = np.zeros((unit.max() + 1, len(PARTS)), bool)
    sides[unit[code >= 0], code[code >= 0]] = True
    if elsewhere is not None:
        np.logical_or.at(sides, unit, elsewhere[by_id["position"]])
    is_known, side_count = code >= 0, sides.sum(axis=1)[unit]
    divided = ~is_known & (side_count > 1)
    last = _last_part(by_id, code, elsewhere)
    contradicted = is_known & (code < last)
    code = np.where(~is_known & (side_count == 1), sides.argmax(axis=1)[unit], code)

    stratum = pd.factorize(by_id["level"] * 2 + by_id["keep"])[0]
    names = by_id["id"].to_numpy()
    placed = ~(divided | contradicted)
    code[~placed] = -1
    code[placed] = _assign(code[placed], unit[placed], stratum[placed], names[placed], config)

    by_id["part"] = np.array([*PARTS, SET_ASIDE])[code]  # code -1 selects the last, which is set aside
    by_id["cluster"] = pd.factorize(unit * (len(PARTS) + 1) + code)[0]  # one number for each pair of unit and code
    _refuse_one_sided(by_id, with_keep=keep is not None, contradicted=int(contradicted.sum()))
    aside = pd.DataFrame({"id": names, "reason": ""})
    joined = [" and ".join(np.array(PARTS)[sides[number]]) for number in unit[divided]]
    aside.loc[divided, "reason"] = [f"it links documents of {parts}" for parts in joined]
    pairs = zip(np.array(PARTS)[old.fillna(0).to_numpy(np.int64)[contradicted]], last[contradicted], strict=True)
    aside.loc[contradicted, "reason"] = [
        f"the ledger has it in {mine}, and a near-duplicate or a document of its group in {PARTS[other]}"
        for mine, other in pairs
    ]
    assignment = by_id.set_index("id").loc[table["id"], ["part", "cluster"]].reset_index()
    return SplitResult(
        assignment=SplitAssignment.validate(assignment),
        new=int((placed & ~is_known).sum()),
        kept=int((is_known & ~contradicted).sum()),
        set_aside=aside[~placed].reset_index(drop=True),
        balance=_balance(by_id),
    )


def _last_part(table: pd.DataFrame, code: IntArray, elsewhere: NDArray[np.bool_] | None) -> IntArray:
    """Return the last part of the unit that each known document has without the new ones, shape (n,); -1 for new ones.

    A new document that links two parts is set aside, so it must not cost the whole group of which it is a member.
    """
    last, known = np.full(len(table), -1), np.flatnonzero(code >= 0)
    if not len(known):
        return last
    rows = table.iloc[known]
    unit = join_units(rows["cluster"].to_numpy(), rows["group"].tolist())
    sides = np.zeros((unit.max() + 1, len(PARTS)), bool)
    sides[unit, code[known]] = True
    if elsewhere is not None:
        np.logical_or.at(sides, unit, elsewhere[rows["position"]])
    last[known] = len(PARTS) - 1 - sides[:, ::-1].argmax(axis=1)[unit]
    return last


def _table(
    ids: Sequence[str], labels: Any, clusters: Any, groups: Any, keep: Any, copies: Any, levels: Sequence[float] | None
) -> pd.DataFrame:
    """Return the columns as one table, with the nearest level of each label. Raise InputError for invalid columns."""
    columns = {"label": labels, "cluster": clusters, "group": groups, "keep": keep, "copies": copies}
    for name, column in columns.items():
        if column is not None and len(column) != len(ids):
            raise InputError(f"{len(column)} values for {len(ids)} documents", where=f"split, {name}")
    if not len(ids):
        raise InputError("no documents to split", where="split")
    table = pd.DataFrame({"id": np.array(ids, dtype=object), "label": np.asarray(labels, float), "cluster": clusters})
    table["group"] = None if groups is None else pd.Series(list(groups), dtype=object)
    table["keep"] = False if keep is None else np.asarray(keep, bool)
    table["copies"] = 1 if copies is None else np.asarray(copies, np.int64)
    table["position"] = np.arange(len(table))
    twice = table["id"].duplicated()
    if twice.any():
        raise InputError(f"id {table['id'][twice].iloc[0]!r} occurs more than once", where="split")
    if not np.isfinite(table["label"]).all():
        row = int((~np.isfinite(table["label"])).to_numpy().argmax())
        raise InputError(f"label {table['label'][row]} is not finite", where=f"split, id {table['id'][row]!r}")
    if levels is None:
        levels = np.arange(np.floor(table["label"].min()), np.ceil(table["label"].max()) + 1).tolist()
    ordered = np.unique(np.asarray(levels, float))
    table["level"] = ordered[np.searchsorted((ordered[1:] + ordered[:-1]) / 2, table["label"], side="right")]
    return table


def _assign(code: IntArray, unit: IntArray, stratum: IntArray, names: NDArray[Any], config: SplitConfig) -> IntArray:
    """Return the part number of each document, shape (n,). `code` is -1 for documents of new units; rows are by id."""
    strata = stratum.max(initial=0) + 1
    # The last column counts all documents of a part, so that deviations of rare levels do not add up in one part.
    counts = np.append(np.bincount(stratum, minlength=strata), len(stratum))
    # At least 1, because deviations are divided by it.
    wanted = np.outer(config.shares, np.maximum(counts, 1)).tolist()
    have = np.zeros((len(PARTS), strata + 1))
    np.add.at(have, (code[code >= 0], stratum[code >= 0]), 1)
    have[:, -1] = have.sum(axis=1)
    have = have.tolist()

    fresh = np.flatnonzero(code < 0)
    number, first, size = np.unique(unit[fresh], return_index=True, return_counts=True)
    # A hash of the seed and the first id, not a random generator: the draw of a unit must not depend on the others.
    draws = [
        hashlib.blake2b(f"{config.seed} {name}".encode("utf-8", "surrogatepass")).digest()
        for name in names[fresh][first]
    ]
    cells, documents = np.unique(unit[fresh] * strata + stratum[fresh], return_counts=True)
    bounds = np.searchsorted(cells, np.append(number, number[-1:] + 1) * strata).tolist()
    column, amount = (cells % strata).tolist(), documents.tolist()
    part_of = np.zeros(unit.max(initial=0) + 1, np.int64)
    for u in sorted(range(len(number)), key=lambda u: (-size[u], draws[u])):
        held = [*((column[i], amount[i]) for i in range(bounds[u], bounds[u + 1])), (strata, int(size[u]))]
        # Elsewhere a unit larger than the share would take the part over. Train may exceed its share.
        fits = [p for p in range(len(PARTS)) if p == TRAIN or size[u] <= wanted[p][-1]]
        # The increase of the sum of squares when n documents are added: (d + n)² - d² = n (2 d + n).
        best = min(fits, key=lambda p: sum(n * (2 * (have[p][s] - wanted[p][s]) + n) / wanted[p][s] for s, n in held))
        for s, n in held:
            have[best][s] += n
        part_of[number[u]] = best
    return np.where(code < 0, part_of[unit], code)


def _refuse_one_sided(table: pd.DataFrame, *, with_keep: bool, contradicted: int = 0) -> None:
    """Raise InputError if a part is empty or has documents of one class only. `contradicted`: known ones set aside."""
    placed = table[table["part"] != SET_ASIDE]
    counts = placed["part"].value_counts()
    fix = "Label more documents, or loosen the grouping if most are in one unit"
    if contradicted:
        fix = (
            f"Set aside were {contradicted:,} documents that the ledger has in train or calibration, and their group "
            "or near-duplicate in a later part. Start a new ledger with these groups, or leave the groups out"
        )
    for part in PARTS:
        rows = placed[placed["part"] == part]
        if rows.empty:
            sizes = ", ".join(f"{name} {counts.get(name, 0)}" for name in PARTS)
            raise InputError(f"too few documents to split: {part} would be empty", where=f"split, {sizes}", fix=fix)
        if with_keep and rows["keep"].nunique() < 2:
            lacking = "reaches" if not rows["keep"].any() else "is below"
            raise InputError(
                f"too few documents to split: none of the {len(rows)} in {part} {lacking} the threshold",
                where=f"split, {int(placed['keep'].sum())} of {len(placed)} documents reach it",
                fix=f"{fix}; or choose another threshold",
            )
        if not with_keep and part != "train" and placed["level"].nunique() > 1 and rows["level"].nunique() < 2:
            raise InputError(
                f"too few documents to split: all {len(rows)} in {part} have label {rows['level'].iloc[0]:g}",
                where=f"split, {len(placed)} documents in {placed['cluster'].nunique()} units",
                fix=fix,
            )


def _balance(table: pd.DataFrame) -> pd.DataFrame:
    """Return documents and rows of every part and level, with zeros for levels that a part lacks."""
    placed = table[table["part"] != SET_ASIDE]
    cells = pd.MultiIndex.from_product([PARTS, sorted(placed["level"].unique())], names=["part", "level"])
    found = placed.groupby(["part", "level"])["copies"].agg(documents="size", rows="sum")
    balance = found.reindex(cells, fill_value=0).reset_index()
    balance["share"] = balance["documents"] / balance.groupby("part")["documents"].transform("sum")
    balance["overall"] = balance.groupby("level")["documents"].transform("sum") / len(placed)
    return balance
