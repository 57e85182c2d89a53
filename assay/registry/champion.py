"""The champion: promoted with a reason and evidence, and rolled back to the version that served before it.

The log of the alias `champion` decides. Each of its moves also records the version that `previous` names from then on.
The log of `previous` follows. If a process dies between the two writes, the next move brings `previous` up to date.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError
from assay.registry.aliases import AliasMove
from assay.registry.registry import Registry

CHAMPION = "champion"
PREVIOUS = "previous"


@dataclass(frozen=True)
class Promotion:
    """The champion after a version was registered."""

    champion: str
    """Name of the champion's version. Empty if there is no champion."""
    sentence: str
    """The champion, and why the new version was not promoted if a gate refused it, for people."""


def promote_first(
    registry: Registry, version: str, refusals: Sequence[str], *, who: str, in_spite: str = ""
) -> Promotion:
    """Make a version the champion if the registry has no champion. An existing champion stays.

    `refusals` are the sentences of the gates that refuse the version. With refusals it is not promoted, unless a
    person gives the reason `in_spite`; the alias's log keeps both.
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


def promote(
    registry: Registry, version: str, *, against: str, who: str, why: str, evidence: Mapping[str, Any] | None = None
) -> AliasMove:
    """Make a version the champion and the old champion the previous version. Return the champion's last move.

    `against` is the name of the version that was champion when this was decided, empty if there was none. Of several
    promotions at once exactly one succeeds. A version that is champion already stays so, without another entry, so
    that the same call may be repeated. Raise InputError if another version became champion since, if the version is
    unknown, or if the reason is missing.
    """
    require_reason(who, why)
    name = registry.get(version).name
    _settle(registry)  # an earlier move may have died before it moved `previous`
    current = registry.alias(CHAMPION)
    champion = current.version if current else ""
    if current and champion == name:
        return current
    if champion != against:
        raise InputError(
            f"{champion or 'nothing'} is champion now, and this was decided against {against or 'no champion'}",
            where=registry.url,
            fix="Run `assay challenge` against the current champion",
        )
    move = registry.move_alias(
        CHAMPION, name, who=who, why=why, evidence=evidence or {}, after=current, previous=champion
    )
    _settle(registry)
    return move


def rollback(registry: Registry, *, who: str, why: str, of: str = "") -> AliasMove:
    """Make the previous version champion again. Return the champion's last move.

    `previous` does not move: after a rollback, champion and previous are the same version, and a second rollback
    changes nothing. So a repeated call neither brings back the version that was rolled back nor goes to an older one;
    to serve an older version, promote it. `of` is the name of the version to roll back. If another version is
    champion, nothing changes.

    Raise InputError if nothing served before this champion, or if another process promotes at the same time.
    """
    require_reason(who, why)
    _settle(registry)  # an earlier move may have died before it moved `previous`
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
        if now and now.number > current.number and now.version == target:  # another process rolled back meanwhile
            return now
        raise


def served_before(registry: Registry, champion: AliasMove | None) -> str:
    """Return the name of the version to which a rollback of this champion goes. Empty if nothing served before.

    The champion's own move names it. The log of `previous` may not have followed yet: if it were read, a rollback
    beside a promotion could go one version too far. It is read only for a champion whose move does not name one.
    """
    if champion and champion.previous:
        return champion.previous
    move = registry.alias(PREVIOUS)
    return move.version if move else ""


def require_reason(who: str, why: str) -> None:
    """Raise InputError if either is empty."""
    if not who.strip() or not why.strip():
        raise InputError("a move of the champion needs a name and a reason", fix="Name who does it, and give a reason")


def _settle(registry: Registry) -> None:
    """Move `previous` to the version that the champion's last move names.

    `previous` is read before the champion. If a process acts on an outdated move of the champion, the process that
    made the newer move has written `previous` since, and the outdated write fails.
    """
    while True:
        previous = registry.alias(PREVIOUS)
        move = registry.alias(CHAMPION)
        if move is None or not move.previous or (previous and previous.version == move.previous):
            return
        try:
            registry.move_alias(
                PREVIOUS,
                move.previous,
                who=move.who,
                why=f"{move.version} became champion: {move.why}",
                evidence={"move of the champion": move.number},
                after=previous,
            )
        except InputError:
            if registry.alias(PREVIOUS) == previous:  # no other process moved it: it cannot be written
                raise
