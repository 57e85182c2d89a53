"""Another version in service: deployed, asked where clients are, and only then champion; or all as it was before.

The champion moves last. Whatever fails before, the registry still names the version that served; `restore` puts that
one back, and may be called at any point, several times.
"""

import datetime
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.deployment import Status, open_target, smoke_test
from assay.errors import InputError
from assay.gates import GateLimits
from assay.progress import say
from assay.promotion import ChallengeRequest, PromotionLimits, challenge_champion, model_to_beat
from assay.registry import CHAMPION, Decision, Outcome, Registry, promote, promote_judged, rollback, served_before
from assay.release.report import keep_decision
from assay.sources import Columns

DONE: dict[str, Outcome] = {"promote": "promoted", "rollback": "rolled back", "none": "deployed", "keep": "kept"}
"""What moves of the champion -> outcome of the decision."""


@dataclass(frozen=True)
class Change:
    """A version that is to be put in service, and how things were before."""

    registry: str
    version: str
    champion: str
    """Before; empty where there was none."""
    served: str
    """Before; empty where nothing was."""
    target: dict[str, str]
    """See `assay.deployment.settings`."""
    move: str
    """What becomes of the champion: `promote`, `rollback`, or `none`; `keep`: nothing is deployed either."""
    who: str
    why: str
    verdict: str = ""
    """What the gate said, as the JSON that `assay challenge` writes; empty where it was not asked."""
    in_spite: str = ""
    """Why a challenger becomes champion that the gate did not let pass."""


@dataclass(frozen=True)
class Served:
    """What was done so far."""

    version: str
    where: str
    """How it is reached."""
    events: list[str] = field(default_factory=list)


def plan_change(
    registry: str, version: str, target: dict[str, str], *, move: str, who: str, why: str, in_spite: str = ""
) -> Change:
    """Find the version, by name or alias, and what is champion and serves now.

    Raises InputError for an unknown version, and for a target that cannot be asked or whose deployment is under way.
    """
    shelf = Registry(registry)
    name = shelf.get(version).name
    current = shelf.alias(CHAMPION)
    now = open_target(target, registry).status()
    say(f"champion {current.version if current else 'none'}; {now.words}; to serve: {name}")
    return Change(
        registry, name, current.version if current else "", _served(now), target, move, who, why, in_spite=in_spite
    )


def plan_rollback(registry: str, target: dict[str, str], *, who: str, why: str) -> Change:
    """Back to the version before the champion. Raises InputError, too, where there is none, or without a reason."""
    if not why.strip():
        raise InputError("going back needs a reason", fix="Say why")
    shelf = Registry(registry)
    champion = shelf.alias(CHAMPION)
    before = served_before(shelf, champion)
    if champion is None or not before:
        raise InputError(
            "nothing served before this champion", where=registry, fix="Promote the version that should serve"
        )
    change = plan_change(registry, before, target, move="rollback", who=who, why=why)
    _require_same(champion.version, change.champion, registry)
    return change


def challenge_with(
    change: Change,
    source: str,
    columns: Columns,
    *,
    slice_by: tuple[str, ...] = (),
    data_until: datetime.date | None = None,
    limits: PromotionLimits | None = None,
    gates: GateLimits | None = None,
) -> Change:
    """Ask the gate about a planned version, on labelled documents: the change with its verdict, and with `keep` for its
    move where the gate does not let it pass.

    What is champion already is not judged: it may be served. Raises InputError where it cannot be judged.
    """
    if change.version == change.champion:
        return replace(change, move="none", why=f"{change.version} is champion already.")
    with (
        tempfile.TemporaryDirectory(prefix="assay-verdict-") as scratch,
        Registry(change.registry).open(change.version) as challenger,
        model_to_beat(CHAMPION, change.registry) as champion,
    ):
        request = ChallengeRequest(
            challenger,
            champion,
            (change.version, change.champion or CHAMPION),
            source,
            columns,
            Path(scratch) / "verdict.json",
            change.registry,
            slice_by,
            data_until,
            limits or PromotionLimits(),
            gates or GateLimits(),
        )
        judgement = challenge_champion(request)
        verdict = request.output.read_text(encoding="utf-8")
    why, reason = judgement.sentence(), change.in_spite.strip()
    passed = judgement.verdict == "promoted"
    if reason and not passed:
        why = f"{why} Promoted all the same: {reason}"
    return replace(change, verdict=verdict, why=why, move=change.move if passed or reason else "keep")


def deploy(change: Change) -> Served:
    """Put it where clients reach it. Raises FailedDeploymentError where it does not prove itself."""
    if change.move == "keep":
        said = f"nothing is deployed: {change.served or 'nothing'} serves on"
        say(said)
        return Served(change.served, "", [said])
    done = open_target(change.target, change.registry).deploy(change.version)
    return Served(done.version, done.where, list(done.events))


def prove(change: Change, served: Served) -> Served:
    """Ask it what clients will ask. Raises InputError where it does not answer as it did when it was evaluated."""
    if change.move == "keep":
        return served
    with Registry(change.registry).open(change.version) as model:
        report = smoke_test(model, change.version, served.where)
    said = f"smoke test at {served.where}: off by {report.worst:.1g} of {report.tolerance:g} labels"
    say(said)
    return replace(served, events=[*served.events, said])


def move_champion(change: Change, served: Served) -> Served:
    """Make the registry say what serves now. Raises InputError where another became champion meanwhile."""
    shelf = Registry(change.registry)
    if change.move == "promote":
        move = promote_judged(
            shelf,
            change.version,
            who=change.who,
            why=change.why,
            verdict=change.verdict.encode() if change.verdict else None,
            where="the verdict of this run",
            in_spite=change.in_spite,
        )
    elif change.move == "rollback":
        move = rollback(shelf, who=change.who, why=change.why, of=change.champion)
        _require_same(change.version, move.version, change.registry)
    else:
        return served
    said = f"champion is {move.version}, move {move.number}"
    say(said)
    return replace(served, events=[*served.events, said])


def conclude(change: Change, served: Served) -> Decision:
    """Keep what was decided and done."""
    outcome = DONE[change.move]
    what = (
        f"{served.version or 'nothing'} serves on"
        if outcome == "kept"
        else f"{change.version} serves at {served.where}"
    )
    sentence, events = f"{what}. {change.why}", tuple(served.events)
    decision = Decision(change.version, outcome, _champion(change), served.version, sentence, events)
    return keep_decision(change.registry, decision, change.verdict)


def restore(change: Change, error: str) -> Decision:
    """Put back what served and who was champion before a change that failed, and keep that it did.

    Where somebody else promoted another version meanwhile, that one should serve, and is not replaced by what served
    before it. What is as it should be already is left alone. Raises InputError where that is not possible; then the
    message says what serves.
    """
    shelf, target = Registry(change.registry), open_target(change.target, change.registry)
    why, events = f"putting {change.version} in service failed: {error}", []
    moved = _champion(change) == change.version != change.champion
    if moved and change.move == "promote" and change.champion:
        rollback(shelf, who=change.who, why=why, of=change.version)
        events.append(f"champion is {change.champion} again")
    if moved and change.move == "rollback":
        promote(shelf, change.champion, against=change.version, who=change.who, why=why)
        events.append(f"champion is {change.champion} again")
    now, standing = target.status(), _champion(change)
    wanted = change.served if standing in (change.champion, change.version) else standing
    if not wanted:
        events.append(f"nothing served before; now: {now.words}")
    elif now.state != "serving" or now.version != wanted:
        back = target.rollback() if now.previous == wanted else target.deploy(wanted)
        events += back.events
    now = target.status()
    decision = Decision(
        change.version,
        "failed",
        _champion(change),
        _served(now),
        f"{now.words}. {why[0].upper()}{why[1:]}",
        tuple(events),
    )
    say(decision.sentence)
    return keep_decision(change.registry, decision, change.verdict)


def _require_same(wanted: str, champion: str, registry: str) -> None:
    if champion != wanted:
        raise InputError(
            f"another became champion meanwhile: {champion or 'none'}",
            where=registry,
            fix="Check what serves now, and decide again",
        )


def _champion(change: Change) -> str:
    current = Registry(change.registry).alias(CHAMPION)
    return current.version if current else ""


def _served(now: Status) -> str:
    return now.version if now.state in ("serving", "degraded") else ""
