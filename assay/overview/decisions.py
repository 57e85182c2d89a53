"""Who decided what about the champion, and what the versions are."""

from typing import Any

import pandas as pd

from assay.metrics import METRICS
from assay.overview.cost import spent_in_words
from assay.overview.state import Known, State
from assay.overview.words import minute, of_all
from assay.promotion import Use
from assay.registry import AliasMove, DecisionLog
from assay.report import Block, Prose, Table

ROWS = 20
"""Of a table; the newest."""
TOLD = ("sentence", "said", "verdict", "sha256", "in spite of the gate", "rolled back")
"""Evidence that has a sentence of its own, or is said by one."""


def evidence_in_words(move: AliasMove) -> list[str]:
    """What a move of the champion rests on, a sentence each."""
    evidence, said = move.evidence, []
    if sentence := evidence.get("sentence"):
        said.append(f"The gate said: {sentence}")
    if reason := evidence.get("in spite of the gate"):
        said.append(f"In spite of the gate: {reason}")
    if of := evidence.get("rolled back"):
        said.append(f"Rolled back from {of}.")
    return [*said, *[f"{name}: {value}" for name, value in evidence.items() if name not in TOLD]]


def decision_blocks(state: State) -> list[Block]:
    """What the workflows decided and did, moves of the champion, and judgements whether they moved it or not."""
    if not state.moves and not state.judged and not state.decisions:
        return [Prose("Nothing was decided yet: the champion was never moved, and no challenger was judged.")]
    blocks: list[Block] = []
    if state.decisions:
        log = DecisionLog(state.asked.registry)
        rows = [
            {
                "when": minute(decision.when),
                "decision": decision.outcome,
                "version": decision.version,
                "serving after it": decision.serving or "not known",
                "why": decision.sentence,
                "page": "/".join(log.page_of(decision).split("/")[-2:]),
            }
            for decision in state.decisions
        ]
        shown = rows[::-1][:ROWS]
        blocks.append(Table(pd.DataFrame(shown), of_all(len(shown), len(rows), "Decisions of the workflows")))
    if state.moves:
        rows = [
            {
                "when": minute(move.when),
                "champion": move.version,
                "who": move.who,
                "why": move.why,
                "evidence": " ".join(evidence_in_words(move)),
            }
            for move in state.moves
        ]
        shown = rows[::-1][:ROWS]
        blocks.append(Table(pd.DataFrame(shown), of_all(len(shown), len(rows), "Moves of the champion")))
    if state.judged:
        rows = [
            {
                "when": minute(use.when),
                "challenger": use.challenger[:12],
                "against": use.champion[:12] or "no champion",
                "became champion": "yes" if _followed(state, use) else "no",
                "test set": digest[:12],
            }
            for digest, use in state.judged
        ]
        shown = rows[::-1][:ROWS]
        uses = {digest: sum(of == digest for of, _ in state.judged) for digest, _ in state.judged}
        worn = "; ".join(f"{digest[:12]} has decided {count:,} times" for digest, count in sorted(uses.items()))
        blocks += [
            Table(pd.DataFrame(shown), of_all(len(shown), len(rows), "Judgements")),
            Prose(f"Each decision wears a test set out a little: {worn}."),
        ]
    return blocks


def _followed(state: State, use: Use) -> bool:
    """Whether the challenger took the place of the one that it was judged against, later on."""
    before = ""
    for move in state.moves:
        if (before, move.version) == (use.champion[:12], use.challenger[:12]) and move.when >= use.when:
            return True
        before = move.version
    return False


def version_blocks(state: State) -> list[Block]:
    """The versions with their date, gates and cost."""
    if not state.versions:
        return [Prose("No version is registered yet.")]
    shown = state.versions[::-1][:ROWS]
    caption = f"{of_all(len(shown), len(state.versions), 'Versions')} Figures are of the metric "
    return [
        Table(pd.DataFrame([_row(known) for known in shown]), f"{caption}that decides, on each one's own test part.")
    ]


def _row(known: Known) -> dict[str, Any]:
    figures = known.version.record.get("metrics")
    figure = figures.get(known.primary) if isinstance(figures, dict) else None
    title = METRICS[known.primary].title if known.primary in METRICS else known.primary
    refused = [verdict.name for verdict in known.gates if verdict.refused]
    silent = [verdict.name for verdict in known.gates if verdict.passed is None]
    said = [f"{word} {', '.join(names)}" for word, names in (("refused:", refused), ("no verdict:", silent)) if names]
    return {
        "version": known.version.name,
        "registered": minute(known.version.created),
        "alias": ", ".join(known.aliases),
        "figure": f"{title} {figure:.3f}" if isinstance(figure, int | float) else "not known",
        "gates": "; ".join(said) or ("all passed" if known.gates else "not known"),
        "training": spent_in_words(known.training),
    }
