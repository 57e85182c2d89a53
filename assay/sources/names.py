"""Find free names for columns of a source that have a name of Assay's by chance, so that none is lost."""

from collections.abc import Collection, Iterable


def free_name(name: str, taken: Collection[str]) -> str:
    """Return `source_NAME`, or with the first number from 2 behind it that makes it differ from the names taken."""
    free, number = f"source_{name}", 1
    while free in taken:
        number += 1
        free = f"source_{name}_{number}"
    return free


def free_names(names: Iterable[str], reserved: Collection[str]) -> dict[str, str]:
    """Return the name under which each column is kept: its own, or a free one if that is reserved."""
    given = list(names)
    taken = {*given, *reserved}
    kept = {}
    for name in given:
        kept[name] = free_name(name, taken) if name in reserved else name
        taken.add(kept[name])
    return kept
