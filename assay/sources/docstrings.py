"""Docstrings of Python source, read from its syntax tree: nothing is imported and nothing runs."""

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
"""All in which a statement can stand. Expressions, which are most of a tree, hold no definition with a docstring."""
BLOCKS = ("body", "cases", "handlers", "orelse", "finalbody")


def docstrings(source: str) -> list[tuple[str, str]]:
    """(qualified name, docstring) of the module, its classes and its functions, in the order of the source.

    Names are those of `__qualname__`; the module's is empty. Docstrings are cleaned as by `inspect.cleandoc`.
    Raises SyntaxError or ValueError for what is no Python of this interpreter, and RecursionError or MemoryError,
    the parser's own words, for what is nested too deeply.
    """
    found = []
    with _quietly():
        # A stack of our own: a chain of a thousand `elif` is a thousand levels deep.
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
            pending.extend((part, inside) for part in reversed(parts))
    return found


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings of other people's invalid escapes, and without the collector, which took a third of the time.

    A tree has no cycle, so it is freed by its reference counts.
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
