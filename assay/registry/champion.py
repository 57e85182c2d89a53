"""Who is champion: promoted with a reason and evidence, and rolled back to the one before.

The champion's log is what counts. Each of its moves also says what `previous` stands for from then on; the log of
`previous` follows it, and where a process died between the two, the next move of anybody brings it up to date.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError
from assay.registry.aliases import AliasMove
from assay.registry.registry import Registry

PREVIOUS = "previous"


def promote(
    registry: Registry, version: str, *, against: str, who: str, why: str, evidence: Mapping[str, Any] | None = None
) -> AliasMove:
    """Make a version the champion, and what was champion the previous one; returns the champion's last move.

    `against`: name of the version that was champion when this was decided, empty where there was none. Of several who
    promote at once exactly one succeeds. What is champion already stays so, without another entry: the same call
    again does no harm. Raises InputError where another became champion since, for an unknown version, and without a
    reason.
    """
    require_reason(who, why)
    name = registry.get(version).name
    _settle(registry)
    current = registry.alias(CHAMPION)
    standing = current.version if current else ""
    if current and standing == name:
        return current
    if standing != against:
        raise InputError(
            f"{standing or 'nothing'} is champion now, and this was decided against {against or 'no champion'}",
            where=registry.url,
            fix="Judge it against the champion of now",
        )
    move = registry.move_alias(
        CHAMPION, name, who=who, why=why, evidence=evidence or {}, after=current, previous=standing
    )
    _settle(registry)
    return move


def rollback(registry: Registry, *, who: str, why: str, of: str = "") -> AliasMove:
    """Make the previous version champion again; returns the champion's last move.

    `previous` does not move. Rolled back a second time, champion and previous are the same version, and nothing
    happens: a repeated call never brings back what was rolled back, nor goes further down. Who wants an older version
    promotes it. `of`: name of the version to roll back; where another is champion, nothing happens either.

    Raises InputError where nothing served before, and where somebody promotes at the same time.
    """
    require_reason(who, why)
    _settle(registry)
    current = registry.alias(CHAMPION)
    target = served_before(registry, current)
    if current is None or not target:
        raise InputError(
            "there is no champion" if current is None else "nothing served before this champion",
            where=registry.url,
            fix="Promote the version that should serve",
        )
    if current.version == target or (of and current.version != of):
        return current
    evidence = {"rolled back": current.version}
    try:
        return registry.move_alias(
            CHAMPION, target, who=who, why=why, evidence=evidence, after=current, previous=target
        )
    except InputError:
        now = registry.alias(CHAMPION)
        if now and now.number > current.number and now.version == target:  # somebody else rolled back meanwhile
            return now
        raise


def served_before(registry: Registry, champion: AliasMove | None) -> str:
    """Name of the version to which a rollback of this champion goes; empty where nothing served before.

    What its own move says, for the log of `previous` may not have followed yet: read there, a rollback beside a
    promotion could go one version too far. That log is asked about a champion that was set without it.
    """
    if champion and champion.previous:
        return champion.previous
    move = registry.alias(PREVIOUS)
    return move.version if move else ""


def require_reason(who: str, why: str) -> None:
    """Raises InputError where either is empty."""
    if not who.strip() or not why.strip():
        raise InputError("a move of the champion needs a name and a reason", fix="Say who does it, and why")


def _settle(registry: Registry) -> None:
    """Bring `previous` to where the champion's last move has it.

    It is read before the champion: who writes it from an outdated move is outrun by whoever made the newer one.
    """
    while True:
        standing = registry.alias(PREVIOUS)
        move = registry.alias(CHAMPION)
        if move is None or not move.previous or (standing and standing.version == move.previous):
            return
        try:
            registry.move_alias(
                PREVIOUS,
                move.previous,
                who=move.who,
                why=f"{move.version} became champion: {move.why}",
                evidence={"move of the champion": move.number},
                after=standing,
            )
        except InputError:
            if registry.alias(PREVIOUS) == standing:  # nobody else moved it: it cannot be written
                raise


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
