"""The cost of training the versions, time and energy, and of scoring corpora, time and money."""

from collections.abc import Mapping

import pandas as pd

from assay.overview.state import State
from assay.overview.words import span
from assay.report import Block, Facts, Prose, Table

HOUR = 3_600.0
KILOWATT_HOUR = 3.6e6
"""Joules in a kilowatt hour."""


def spent_in_words(training: Mapping[str, float]) -> str:
    """Return the cost of a training, such as `12 minutes, 0.0031 kWh`. `training`: as `Evaluation.training`."""
    if "seconds" not in training:
        return "unknown"
    energy = f", {training['joules'] / KILOWATT_HOUR:,.4f} kWh" if "joules" in training else ""
    return f"{span(training['seconds'])}{energy}"


def cost_blocks(state: State) -> list[Block]:
    """Show what training and scoring cost."""
    return [*training_blocks(state), *scoring_blocks(state)]


def scoring_blocks(state: State) -> list[Block]:
    """Show what scoring cost by each model, with a price for a billion tokens if an hour has one."""
    if not state.costs:
        return []
    table = pd.DataFrame([vars(cost) for cost in state.costs])
    names = {known.version.digest: known.version.name for known in state.versions}
    rows = []
    for digest, runs in table.groupby("model", sort=False):
        total = runs[["documents", "tokens", "processor_seconds", "gpu_seconds"]].sum()
        money = (
            total.processor_seconds / HOUR * state.places.core_hour + total.gpu_seconds / HOUR * state.places.gpu_hour
        )
        row = {
            "model": names.get(str(digest), str(digest)[:12]),
            "runs": len(runs),
            "documents": int(total.documents),
            "tokens": int(total.tokens),
            "core hours": total.processor_seconds / HOUR,
            "GPU hours": total.gpu_seconds / HOUR,
            "docs a core s": total.documents / max(total.processor_seconds, 1e-9),
            "busy": _busy(runs),
        }
        if state.places.core_hour or state.places.gpu_hour:
            row["10⁹ tokens cost"] = money / max(total.tokens, 1) * 1e9
        rows.append(row)
    priced = (
        f"Prices: {state.places.core_hour:g} for an hour of a core, {state.places.gpu_hour:g} for one of a GPU. "
        if state.places.core_hour or state.places.gpu_hour
        else "`assay state --core-hour PRICE --gpu-hour PRICE` adds the price of a billion tokens. "
    )
    return [
        Table(pd.DataFrame(rows), f"Scoring, by the {len(state.costs):,} runs in the ledger of {state.places.scores}."),
        Prose(
            f"{priced}Tokens are those of the tokenizer that the scores were counted by. A run that was killed is "
            "missing. Of a GPU the time counts in which it was held. Busy is the share of a run's time "
            "in which the model computed; reading, tokenizing, languages, counting, writing and the start took the "
            "rest."
        ),
    ]


def _busy(runs: pd.DataFrame) -> str:
    """Return the share of the runs' time in which the model computed, where the ledger tells it."""
    told = runs[[bool(stages) for stages in runs["stages"]]]
    whole = float((told["seconds"] * told["processes"]).sum())
    busy = sum(stages.get("model", 0.0) for stages in told["stages"])
    return f"{min(busy / whole, 1.0):.0%}" if whole else "unknown"


def training_blocks(state: State) -> list[Block]:
    """Show the time and energy of the champion's training and of all, as far as they were measured."""
    known = [version.training for version in state.versions if "seconds" in version.training]
    if not known:
        return [Prose("The cost of the versions is unknown.")]
    champion = state.champion.version if state.champion else ""
    own = {version.version.name: version.training for version in state.versions}.get(champion, {})
    measured = [training["joules"] for training in known if "joules" in training]
    processor = [training["processor_seconds"] for training in known if "processor_seconds" in training]
    facts = {
        "training of the champion": spent_in_words(own),
        "training of all": span(sum(training["seconds"] for training in known)),
        "processor time of all": span(sum(processor)) if processor else "unknown",
        "energy of all": f"{sum(measured) / KILOWATT_HOUR:,.4f} kWh" if measured else "not measured",
    }
    return [
        Facts(facts),
        Prose(
            f"Time is known for {len(known):,} of {len(state.versions):,} versions, energy for {len(measured):,}. "
            # The counters belong to the machine, not to the process.
            "Energy is read from counters of processors and GPUs, so it includes other programs on the machine. "
            "Labels, evaluation and the service are not counted."
        ),
    ]
