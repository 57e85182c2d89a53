"""What people see of the state: the page, and its first things."""

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
"""Times the usual pause between two looks, from which on the next one is missed."""


def state_report(state: State) -> Report:
    """The page."""
    lost = [Callout(message, "bad") for message in state.unreadable]
    told = Prose("All else is here but this, which cannot be read, and was left as it is:")
    return Report(
        "The state",
        f"{state.asked.registry} · {state.now:%Y-%m-%d %H:%M} UTC",
        [
            *([Section("Not read", [told, *lost])] if lost else []),
            Section("Champion", champion_blocks(state)),
            Section("Scores over time", [*look_blocks(state), *log_blocks(state)]),
            Section("Alarms", alarm_blocks(state)),
            Section("Last decisions", decision_blocks(state)),
            Section("Versions", version_blocks(state)),
            Section("Cost", cost_blocks(state)),
        ],
    )


def champion_blocks(state: State) -> list[Block]:
    """Which one, for how long, on whose word."""
    move = state.champion
    if move is None and not state.champion_known:
        return [Callout("Which version is champion cannot be told: the last entry of its log cannot be read.", "bad")]
    if move is None:
        why = "no version was promoted yet" if state.versions else "no version is registered yet"
        return [Callout(f"There is no champion: {why}.", "warn")]
    known = {known.version.name: known for known in state.versions}.get(move.version)
    before = "none: it was one" if state.previous == move.version else state.previous or "none"
    blocks: list[Block] = [
        Facts(
            {
                "champion": move.version,
                "champion for": age(move.when, state.now),
                "age of the model": age(known.version.created, state.now) if known else "not known",
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
    """Whether it is calm, whether somebody still looks, and the alarms."""
    if not state.looks:
        return [Prose("No look is known, and so no alarm.")]
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
    pauses = sorted((b - a).total_seconds() for a, b in itertools.pairwise(times))
    usual = pauses[len(pauses) // 2] if len(pauses) > 1 else 0.0
    if usual and (state.now - times[-1]).total_seconds() > LATE * usual:
        blocks.append(Callout(f"A look is missed: they came every {span(usual)}, and the last is {ago} old.", "warn"))
    rows = [
        {
            "when": minute(look.when),
            "version": look.version,
            "what has changed": _titles(look),
            "documents": look.documents,
            "acted upon": look.act,
        }
        for look in alarms[::-1][:ROWS]
    ]
    if rows:
        blocks.append(Table(pd.DataFrame(rows), of_all(len(rows), len(alarms), "Alarms")))
    return blocks


def _titles(look: DriftLook) -> str:
    return "; ".join(TITLES.get(name, name) for name in look.alarms)
