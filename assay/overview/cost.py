"""What training the versions has cost."""

from collections.abc import Mapping

from assay.overview.state import State
from assay.overview.words import span
from assay.report import Block, Facts, Prose

KILOWATT_HOUR = 3.6e6
"""Joules."""


def spent_in_words(training: Mapping[str, float]) -> str:
    """`12 minutes, 0.0031 kWh`."""
    if "seconds" not in training:
        return "not known"
    energy = f", {training['joules'] / KILOWATT_HOUR:,.4f} kWh" if "joules" in training else ""
    return f"{span(training['seconds'])}{energy}"


def cost_blocks(state: State) -> list[Block]:
    """Time and energy of the champion's training and of all, as far as they were measured."""
    known = [version.training for version in state.versions if "seconds" in version.training]
    if not known:
        return [Prose("What the versions have cost is not known.")]
    champion = state.champion.version if state.champion else ""
    mine = {version.version.name: version.training for version in state.versions}.get(champion, {})
    measured = [training["joules"] for training in known if "joules" in training]
    processor = [training["processor_seconds"] for training in known if "processor_seconds" in training]
    facts = {
        "training of the champion": spent_in_words(mine),
        "training of all": span(sum(training["seconds"] for training in known)),
        "processor time of all": span(sum(processor)) if processor else "not known",
        "energy of all": f"{sum(measured) / KILOWATT_HOUR:,.4f} kWh" if measured else "not measured",
    }
    said = [f"Time is known of {len(known):,} of {len(state.versions):,} versions"]
    said.append(f"energy, from the counters of processors and GPUs, other programs included, of {len(measured):,}")
    return [Facts(facts), Prose(f"{', '.join(said)}. Labels, evaluation and the service are not counted.")]
