"""Extract docstrings from Python source by its syntax tree. No code is imported or run."""

import ast
import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
COMPOUND = (
    *DEFINITIONS,
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.ExceptHandler),
    *(ast.Match, ast.match_case),
)
"""Nodes that contain statements. Expressions are most of a tree and hold no definition with a docstring."""
BLOCKS = ("body", "cases", "handlers", "orelse", "finalbody")


def docstrings(source: str) -> list[tuple[str, str]]:
    """Return (qualified name, docstring) of the module, its classes and its functions, in source order.

    Names are those of `__qualname__`; the name of the module is empty. Docstrings are cleaned as by
    `inspect.cleandoc`. Raise SyntaxError or ValueError if the source is not valid Python for this interpreter, and
    RecursionError or MemoryError, from the parser, if it is nested too deeply.
    """
    found = []
    with _quietly():
        # An explicit stack instead of recursion: a chain of a thousand `elif` is a thousand levels deep.
        pending: list[tuple[ast.AST, str]] = [(ast.parse(source), "")]
        while pending:
            node, inside = pending.pop()
            name = inside
            if isinstance(node, DEFINITIONS):
                name = inside + node.name
                inside = f"{name}." if isinstance(node, ast.ClassDef) else f"{name}.<locals>."
            if isinstance(node, (ast.Module, *DEFINITIONS)) and (text := ast.get_docstring(node)):
                found.append((name, text))
            parts = [part for block in BLOCKS for part in getattr(node, block, ()) if isinstance(part, COMPOUND)]
            # Reversed, since the stack pops the last one first: the order of the source is kept.
            pending.extend((part, inside) for part in reversed(parts))
    return found


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the warnings about invalid escapes in the source, and pause the garbage collector.

    The collector took a third of the time. A syntax tree has no cycle, so reference counts free it.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()
