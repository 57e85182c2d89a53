"""Show the decisions about the champion, and the versions."""

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
"""Rows of a table at most: the newest."""
EXPLAINED = ("sentence", "said", "verdict", "sha256", "in spite of the gate", "rolled back")
"""Evidence that is not listed by its name: a sentence covers it."""


def evidence_in_words(move: AliasMove) -> list[str]:
    """Return the evidence for a move of the champion, one sentence each."""
    evidence, sentences = move.evidence, []
    if sentence := evidence.get("sentence"):
        sentences.append(f"Result of the comparison: {sentence}")
    if reason := evidence.get("in spite of the gate"):
        sentences.append(f"Promoted despite a refusal: {reason}")
    if of := evidence.get("rolled back"):
        sentences.append(f"Rolled back from {of}.")
    return [*sentences, *[f"{name}: {value}" for name, value in evidence.items() if name not in EXPLAINED]]


def decision_blocks(state: State) -> list[Block]:
    """Show the decisions of the workflows, the moves of the champion, and the challenges with their results."""
    if not state.moves and not state.judged and not state.decisions:
        return [Prose("No decision yet: the champion was never moved, and no challenger was compared with it.")]
    blocks: list[Block] = []
    if state.decisions:
        log = DecisionLog(state.places.registry)
        rows = [
            {
                "when": minute(decision.when),
                "decision": decision.outcome,
                "version": decision.version,
                "serving after it": decision.serving or "unknown",
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
                "by": move.who,
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
        wear = "; ".join(f"{digest[:12]} has decided {count:,} times" for digest, count in sorted(uses.items()))
        blocks += [
            Table(pd.DataFrame(shown), of_all(len(shown), len(rows), "Challenges")),
            Prose(f"Each decision makes a test set a little less independent: {wear}."),
        ]
    return blocks


def _followed(state: State, use: Use) -> bool:
    """Return True if the challenger replaced the champion that it was compared with, at that time or later."""
    # A use of a test set does not record the promotion, so the move is searched in the log of the alias.
    before = ""
    for move in state.moves:
        if (before, move.version) == (use.champion[:12], use.challenger[:12]) and move.when >= use.when:
            return True
        before = move.version
    return False


def version_blocks(state: State) -> list[Block]:
    """Show the versions with their date, gates and cost."""
    if not state.versions:
        return [Prose("No version is registered yet.")]
    shown = state.versions[::-1][:ROWS]
    caption = (
        f"{of_all(len(shown), len(state.versions), 'Versions')} Figure: primary metric on the version's own test set."
    )
    return [Table(pd.DataFrame([_row(known) for known in shown]), caption)]


def _row(known: Known) -> dict[str, Any]:
    figures = known.version.record.get("metrics")
    figure = figures.get(known.primary) if isinstance(figures, dict) else None
    title = METRICS[known.primary].title if known.primary in METRICS else known.primary
    refused = [verdict.name for verdict in known.gates if verdict.refused]
    undecided = [verdict.name for verdict in known.gates if verdict.passed is None]
    gates = [
        f"{word} {', '.join(names)}" for word, names in (("refused:", refused), ("no verdict:", undecided)) if names
    ]
    return {
        "version": known.version.name,
        "registered": minute(known.version.created),
        "alias": ", ".join(known.aliases),
        "figure": f"{title} {figure:.3f}" if isinstance(figure, int | float) else "unknown",
        "gates": "; ".join(gates) or ("all passed" if known.gates else "unknown"),
        "training": spent_in_words(known.training),
    }
