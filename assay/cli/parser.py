"""A parser whose arguments are added when it is used: the rooms that define options take seconds to import."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with a function that completes it before it parses or prints its help.

    Subparsers of a Parser are Parsers, too, so only the chosen command is completed.
    """

    complete: Callable[["Parser"], None] | None = None
    """Adds the arguments; called once."""

    def parse_known_args(  # type: ignore[override]  # typeshed has three overloads of it
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """Complete the parser and parse. argparse calls it for subparsers, and prints their help within it."""
        if self.complete is not None:
            complete, self.complete = self.complete, None
            complete(self)
        return super().parse_known_args(args, namespace)
