"""Put another version in service: deploy it, check its answers at the address of the clients, then make it champion.

The champion moves last. If a step fails before, the registry still names the version that served. `restore` puts that
version back; it may be called at any point, several times.
"""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.canary import run_canary
from assay.deployment import Status, canary_of, open_target, smoke_test
from assay.errors import InputError
from assay.progress import say
from assay.promotion import ChallengeRequest, challenge_champion, model_to_beat
from assay.registry import CHAMPION, Decision, Outcome, Registry, promote, promote_with_verdict, rollback, served_before
from assay.release.report import keep_decision

DONE: dict[str, Outcome] = {"promote": "promoted", "rollback": "rolled back", "none": "deployed", "keep": "kept"}
"""`Change.move` -> outcome of the decision."""


@dataclass(frozen=True)
class Change:
    """A version to put in service, and the state before."""

    registry: str
    version: str
    champion: str
    """Champion before the change. Empty if there was none."""
    served: str
    """Version that served before the change. Empty if none did."""
    target: dict[str, str]
    """Settings of the deployment target, see `assay.deployment.settings`."""
    move: str
    """Move of the champion: `promote`, `rollback` or `none`. `keep`: nothing is deployed either."""
    who: str
    why: str
    verdict: str = ""
    """Result of the comparison, as the JSON that `assay challenge` writes. Empty if none was made."""
    in_spite: str = ""
    """Reason to promote a challenger that the promotion rules do not let pass. Empty: it is not promoted."""


@dataclass(frozen=True)
class Served:
    """The steps of a change that are done."""

    version: str
    """Version that serves."""
    where: str
    """URL of the service. Empty if nothing was deployed."""
    events: list[str] = field(default_factory=list)
    """One sentence for each step."""


def plan_change(
    registry: str, version: str, target: dict[str, str], *, move: str, who: str, why: str, in_spite: str = ""
) -> Change:
    """Resolve a version by name or alias, and record the champion and the serving version.

    Raise InputError if the version is unknown, or if the target cannot be reached or is deploying.
    """
    shelf = Registry(registry)
    name = shelf.get(version).name
    current = shelf.alias(CHAMPION)
    canary_of(target)  # its settings are read before any work
    now = open_target(target, registry).status()
    say(f"champion {current.version if current else 'none'}; {now.words}; to serve: {name}")
    return Change(
        registry, name, current.version if current else "", _served(now), target, move, who, why, in_spite=in_spite
    )


def plan_rollback(registry: str, target: dict[str, str], *, who: str, why: str) -> Change:
    """Plan the return to the version that served before the champion.

    Raise InputError without a reason, if there is no such version, and as `plan_change`.
    """
    if not why.strip():
        raise InputError("a rollback needs a reason", fix="Give the reason")
    shelf = Registry(registry)
    champion = shelf.alias(CHAMPION)
    before = served_before(shelf, champion)
    if champion is None or not before:
        raise InputError(
            "nothing served before this champion", where=registry, fix="Promote the version that should serve"
        )
    change = plan_change(registry, before, target, move="rollback", who=who, why=why)
    # The champion was read twice. If it moved in between, `before` is no longer the version before it.
    _require_same(champion.version, change.champion, registry)
    return change


def challenge_with(change: Change, request: ChallengeRequest) -> Change:
    """Compare a planned version with the champion by the promotion rules.

    Return the change with its verdict. Its move is `keep` if the version does not pass. A version that is the champion
    already is not compared: it may be served. Raise InputError if the two cannot be compared.
    """
    if change.version == change.champion:
        return replace(change, move="none", why=f"{change.version} is champion already.")
    with (
        tempfile.TemporaryDirectory(prefix="assay-verdict-") as scratch,
        Registry(change.registry).open(change.version) as challenger,
        model_to_beat(CHAMPION, change.registry) as champion,
    ):
        names, output = (change.version, change.champion or CHAMPION), Path(scratch) / "verdict.json"
        judgement = challenge_champion(
            request, challenger, champion, names=names, output=output, registry=change.registry
        )
        verdict = output.read_text(encoding="utf-8")
    why, reason = judgement.sentence(), change.in_spite.strip()
    passed = judgement.verdict == "promoted"
    if reason and not passed:
        why = f"{why} Promoted despite the rules: {reason}"
    return replace(change, verdict=verdict, why=why, move=change.move if passed or reason else "keep")


def deploy(change: Change) -> Served:
    """Deploy the version, by a canary if the target has one, whose verdict is an entry of the log of its own.

    Raise FailedDeploymentError if it does not become ready or its canary refuses it.
    """
    if change.move == "keep":
        event = f"nothing is deployed: {_still_serves(change.served)}"
        say(event)
        return Served(change.served, "", [event])
    target, canary = open_target(change.target, change.registry), canary_of(change.target)
    # Nothing to compare with on the first deployment. A version that serves already is left as it is.
    # A rollback is in a hurry.
    if canary and change.served and change.move != "rollback":
        done = run_canary(target, change.version, canary, change.registry)
    else:
        done = target.deploy(change.version)
    return Served(done.version, done.where, list(done.events))


def prove(change: Change, served: Served) -> Served:
    """Score golden documents through the service. Raise InputError if its answers are not those of the model."""
    if change.move == "keep":
        return served
    with Registry(change.registry).open(change.version) as model:
        report = smoke_test(model, change.version, served.where)
    event = f"smoke test at {served.where}: largest deviation {report.worst:.1g} labels, allowed {report.tolerance:g}"
    say(event)
    return replace(served, events=[*served.events, event])


def move_champion(change: Change, served: Served) -> Served:
    """Move the champion to the serving version. Raise InputError if another version became champion meanwhile."""
    shelf = Registry(change.registry)
    if change.move == "promote":
        move = promote_with_verdict(
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
    event = f"champion is {move.version}, move {move.number}"
    say(event)
    return replace(served, events=[*served.events, event])


def conclude(change: Change, served: Served) -> Decision:
    """Record the decision and its steps in the registry."""
    outcome = DONE[change.move]
    what = _still_serves(served.version) if outcome == "kept" else f"{change.version} serves at {served.where}"
    sentence, events = f"{what}. {change.why}", tuple(served.events)
    decision = Decision(change.version, outcome, _champion(change), served.version, sentence, events)
    return keep_decision(change.registry, decision, change.verdict)


def restore(change: Change, error: str, details: str = "") -> Decision:
    """Restore the champion and the serving version from before a failed change, and record the failure.

    `error`: one line, for the logs of the champion and of the decisions. `details`: the whole message, which only the
    page of the decision shows.
    If another version was promoted meanwhile, that one is deployed, not the version from before. What is right already
    is not touched. Raise InputError if this is not possible; the message names the version that serves.
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
    now, current = target.status(), _champion(change)
    # A champion that is neither of the two was promoted by someone else meanwhile: their decision is newer.
    wanted = change.served if current in (change.champion, change.version) else current
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
    return keep_decision(change.registry, decision, change.verdict, details)


def _require_same(wanted: str, champion: str, registry: str) -> None:
    if champion != wanted:
        raise InputError(
            f"another version became champion meanwhile: {champion or 'none'}",
            where=registry,
            fix="Check what serves now, and decide again",
        )


def _still_serves(version: str) -> str:
    return f"{version} still serves" if version else "nothing serves"


def _champion(change: Change) -> str:
    current = Registry(change.registry).alias(CHAMPION)
    return current.version if current else ""


def _served(now: Status) -> str:
    return now.version if now.state in ("serving", "degraded") else ""
