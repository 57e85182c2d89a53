"""The cost of training the versions: time and energy."""

from collections.abc import Mapping

from assay.overview.state import State
from assay.overview.words import span
from assay.report import Block, Facts, Prose

KILOWATT_HOUR = 3.6e6
"""Joules in a kilowatt hour."""


def spent_in_words(training: Mapping[str, float]) -> str:
    """Return the cost of a training, such as `12 minutes, 0.0031 kWh`. `training`: as `Evaluation.training`."""
    if "seconds" not in training:
        return "unknown"
    energy = f", {training['joules'] / KILOWATT_HOUR:,.4f} kWh" if "joules" in training else ""
    return f"{span(training['seconds'])}{energy}"


def cost_blocks(state: State) -> list[Block]:
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
