"""The page of the state, its section about the champion, and that about alarms."""

import itertools

import pandas as pd

from assay.monitoring import TITLES, DriftLook
from assay.overview.cost import cost_blocks
from assay.overview.decisions import ROWS, decision_blocks, evidence_in_words, version_blocks
from assay.overview.series import log_blocks, look_blocks
from assay.overview.state import State
from assay.overview.words import age, minute, of_all, plain, span, time_of
from assay.report import Block, Callout, Facts, Prose, Report, Section, Table

LATE = 3.0
"""Pause since the last look, as a multiple of the usual pause, above which a look is missing."""


def state_report(state: State) -> Report:
    """Return the page."""
    lost = [Callout(message, "bad") for message in state.unreadable]
    note = Prose("The following cannot be read, and is missing below. Nothing was changed.")
    return Report(
        "State of the registry and the service",
        f"{state.places.registry} · {state.now:%Y-%m-%d %H:%M} UTC",
        [
            *([Section("Unreadable", [note, *lost])] if lost else []),
            Section("Champion", champion_blocks(state)),
            Section("Scores over time", [*look_blocks(state), *log_blocks(state)]),
            Section("Alarms", alarm_blocks(state)),
            Section("Last decisions", decision_blocks(state)),
            Section("Versions", version_blocks(state)),
            Section("Cost", cost_blocks(state)),
        ],
    )


def champion_blocks(state: State) -> list[Block]:
    """Show the champion, since when it is champion, who moved it, and why."""
    move = state.champion
    if move is None and not state.champion_known:
        return [Callout("The champion is unknown: the last entry of its log cannot be read.", "bad")]
    if move is None:
        why = "no version was promoted yet" if state.versions else "no version is registered yet"
        return [Callout(f"There is no champion: {why}.", "warn")]
    known = {known.version.name: known for known in state.versions}.get(move.version)
    before = "none: a rollback brought it back" if state.previous == move.version else state.previous or "none"
    blocks: list[Block] = [
        Facts(
            {
                "champion": move.version,
                "champion for": age(move.when, state.now),
                "age of the model": age(known.version.created, state.now) if known else "unknown",
                "rollback to": before,
            }
        ),
        Prose(f"Since {minute(move.when)} UTC, by {plain(move.who)}: {plain(move.why)}"),
        *[Callout(line) for line in evidence_in_words(move)],
    ]
    if known is None:
        blocks.append(Callout(f"{move.version} is not among the versions that can be read.", "bad"))
    else:
        refused = [verdict for verdict in known.gates if verdict.refused]
        blocks += [Callout(f"A gate refuses it: {verdict.sentence()}", "warn") for verdict in refused]
    return blocks


def alarm_blocks(state: State) -> list[Block]:
    """Show the result of the last look, whether looks are missing, and the alarms."""
    if not state.looks:
        return [Prose("There are no looks, and so no alarms.")]
    last, alarms = state.looks[-1], [look for look in state.looks if look.alarms]
    ago = age(last.when, state.now)
    if last.alarms:
        first = Callout(f"The last look, {ago} ago, raised an alarm: {_titles(last)}.", "bad")
    elif alarms:
        first = Callout(
            f"Calm at the last look, {ago} ago; the last alarm was {age(alarms[-1].when, state.now)} ago.", "good"
        )
    else:
        first = Callout(f"Calm: no alarm in {len(state.looks):,} looks; the last one was {ago} ago.", "good")
    blocks: list[Block] = [first]
    times = [time_of(look.when) for look in state.looks]
    # The median pause: one long interruption of the watch does not change it.
    pauses = sorted((b - a).total_seconds() for a, b in itertools.pairwise(times))
    usual = pauses[len(pauses) // 2] if len(pauses) > 1 else 0.0
    if usual and (state.now - times[-1]).total_seconds() > LATE * usual:
        blocks.append(
            Callout(f"Looks are missing: they came every {span(usual)}, and the last one is {ago} old.", "warn")
        )
    rows = [
        {
            "when": minute(look.when),
            "version": look.version,
            "changed": _titles(look),
            "documents": look.documents,
            "action taken": look.act,
        }
        for look in alarms[::-1][:ROWS]
    ]
    if rows:
        blocks.append(Table(pd.DataFrame(rows), of_all(len(rows), len(alarms), "Alarms")))
    return blocks


def _titles(look: DriftLook) -> str:
    return "; ".join(TITLES.get(name, name) for name in look.alarms)
