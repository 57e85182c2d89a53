"""Which version becomes the first champion: one that its gates passed, or that a person answers for."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.registry.registry import Registry

CHAMPION = "champion"


@dataclass(frozen=True)
class Promotion:
    """Where the champion points once a version is registered."""

    champion: str
    """Name of its version; empty where there is none."""
    sentence: str
    """For people: who is champion, and why this version is not where it was refused."""


def promote_first(
    registry: Registry, version: str, refusals: Sequence[str], *, who: str, in_spite: str = ""
) -> Promotion:
    """Make a version the champion where there is none yet.

    With `refusals`, the sentences of gates that refuse it, it stays a version like any other, unless a person gives
    a reason `in_spite` of them, which the log of the alias keeps beside their words. A champion that is there stays.
    """
    reason, why = in_spite.strip(), "the first version of this registry"
    if refusals and reason:
        why = f"{why}, promoted though a gate refuses it: {reason}. Gates: {' '.join(refusals)}"
    if refusals and not reason:
        current = registry.alias(CHAMPION)
        stays = f"the champion is {current.version}" if current else "there is no champion"
        return Promotion(
            current.version if current else "",
            f"{stays}; {version} was registered and not promoted: {' '.join(refusals)}",
        )
    champion = registry.ensure_alias(CHAMPION, version, who=who, why=why).version
    return Promotion(champion, f"the champion is {champion}")
