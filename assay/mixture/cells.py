"""Cells, and the units in which their documents are drawn."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from assay.errors import InputError
from assay.storage import only_known_fields


class InfeasibleError(InputError):
    """A wish that the tokens cannot fill. `nearest` has values of single settings, each of which would do."""

    def __init__(self, what: str, nearest: Mapping[str, float]) -> None:
        shown = [
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:g}" for name, value in nearest.items()
        ]
        fix = f"Nearest that would do: {', or '.join(shown)}" if shown else "No single setting would do"
        super().__init__(what, where="mixture", fix=fix)
        self.nearest = dict(nearest)


@only_known_fields
@dataclass(frozen=True)
class Cell:
    """A topic and a bin of quality."""

    topic: str
    bin: int
    documents: int
    """Documents of the corpus in it."""
    tokens: int
    repeat: float
    """Times that a document is in the mixture in the mean."""


@only_known_fields
@dataclass(frozen=True)
class Unit:
    """Documents that are drawn together: some `most` times, the others `least` times.

    A unit is a cell; or with a step, all documents that share a cut. `more` tokens at most are those of the first ones.
    """

    least: int
    most: int
    more: int
    """Tokens, each counted once, of the documents that are in the mixture `most` times."""


@only_known_fields
@dataclass(frozen=True)
class Recipe:
    """Cells in the order of topics and bins, and the units in which their documents are drawn."""

    cells: tuple[Cell, ...]
    units: tuple[Unit, ...]
    unit_of: tuple[int, ...]
    """Unit of each cell."""
    aims: Mapping[str, int]
    """Topic -> tokens that it is to have in the mixture."""
    short: Mapping[str, int]
    """Topic -> tokens that it lacks of what was requested for it; `""`: the mixture."""

    @property
    def first(self) -> dict[str, int]:
        """Return the number of the lowest cell of each topic."""
        found: dict[str, int] = {}
        for at, cell in enumerate(self.cells):
            found.setdefault(cell.topic, at)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
