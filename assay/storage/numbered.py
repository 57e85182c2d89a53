"""A numbered log that only grows: entry n is the file `0000000n.json`, which is created once and never changed.

Writers need no lock and no server. A writer picks the next free number and creates its file, which fails if the file
exists: on a disk by a hard link, in an object store by a conditional PUT. So exactly one of several writers gets a
number. The history of the log is the sorted list of its files.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Generic, TypeVar

from assay.errors import InputError
from assay.storage.objects import create, join, list_names, read_bytes
from assay.storage.records import parse_json, parse_record, require_time

T = TypeVar("T")

TRIES = 20
"""Numbers that `append` tries before it gives up. Each failure means that another writer got that number."""


@dataclass(frozen=True)
class NumberedFiles:
    """Files named `00000001.<suffix>`, `00000002.<suffix>`, … in one folder."""

    url: str
    """Path or fsspec URL of the folder, which need not exist yet."""

    def name(self, number: int, suffix: str = "json") -> str:
        """Return the name of a file in the folder."""
        return f"{number:08d}.{suffix}"

    def place(self, number: int, suffix: str = "json") -> str:
        """Return the path or URL of a file."""
        return join(self.url, self.name(number, suffix))

    def numbers(self, suffix: str = "json") -> list[int]:
        """Return the numbers of the existing files with this suffix, rising. Other files are ignored."""
        return sorted(number for number, ending in self._files() if ending == suffix)

    def next_number(self) -> int:
        """Return the number after the largest one in use, by a file with any suffix. The first number is 1.

        The count of the files would not do: if a file was lost, it is the number of an existing one.
        """
        return max((number for number, _ in self._files()), default=0) + 1

    def write(self, number: int, data: bytes, suffix: str = "json") -> None:
        """Create a file. Raise FileExistsError if it exists: of several writers exactly one succeeds."""
        create(self.place(number, suffix), data)

    def _files(self) -> list[tuple[int, str]]:
        found = []
        for name in list_names(self.url):
            stem, _, suffix = name.partition(".")
            # `7.json` is none of these files: `place(7)` is another one.
            if stem.isdecimal() and name == self.name(int(stem), suffix):
                found.append((int(stem), suffix))
        return found


@dataclass(frozen=True)
class NumberedLog(NumberedFiles, Generic[T]):
    """A log whose entries are JSON objects in numbered files, read into a dataclass.

    If the dataclass has a field `number`, its value is the number in the file's name and is not in the JSON. If it has
    a field `when`, its value is a time in ISO 8601 with a time zone.
    """

    kind: type[T]
    """Dataclass of an entry."""
    what: str = "this entry"
    """Name of an entry in messages."""
    fix: str = "Restore it"
    """Advice in the message about an entry that cannot be read."""
    ensure_ascii: bool = True
    """As in `json.dumps`. Each log keeps the form in which its first entries were written."""

    def read(self, number: int) -> T:
        """Return one entry. Raise InputError if it is missing or damaged."""
        where = self.place(number)
        try:
            data = read_bytes(where)
        except FileNotFoundError as error:
            raise InputError(f"{self.what} is missing", where=where, fix=self.fix) from error
        found = parse_json(dict[str, Any], data, what=self.what, where=where, fix=self.fix)
        if "number" in self._names():
            found["number"] = number
        entry = parse_record(self.kind, found, what=self.what, where=where, fix=self.fix)
        if "when" in self._names():
            when = entry.when  # type: ignore[attr-defined]  # nothing says that T has the field
            require_time(when, what=self.what, where=where, fix=self.fix)
        return entry

    def history(self, most: int | None = None, skipped: list[str] | None = None) -> list[T]:
        """Return the entries, the oldest first, or only the last `most`.

        Raise InputError if one cannot be read. With `skipped`, its message is added to that list instead, and the
        other entries are returned.
        """
        found = []
        for number in self.numbers()[-most if most else None :]:
            try:
                found.append(self.read(number))
            except InputError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))
        return found

    def last(self) -> T | None:
        """Return the last entry, or None if the log is empty. Raise InputError if it cannot be read.

        It is never skipped: an earlier entry in its place would be a wrong answer.
        """
        numbers = self.numbers()
        return self.read(numbers[-1]) if numbers else None

    def create(self, number: int, entry: T) -> None:
        """Write an entry under a number. Raise FileExistsError if another writer was faster."""
        values = {name: value for name, value in asdict(entry).items() if name != "number"}  # type: ignore[call-overload]
        self.write(number, json.dumps(values, indent=2, ensure_ascii=self.ensure_ascii).encode())

    def append(self, make: Callable[[int], T]) -> T:
        """Write the entry that `make` returns for the next free number, and return it.

        `make` is called again with a larger number if another writer was faster. It may create files of its own under
        that number; if it raises FileExistsError, the next number is tried. Raise InputError after 20 numbers.
        """
        for _ in range(TRIES):
            number = self.next_number()
            try:
                entry = make(number)
                self.create(number, entry)
            except FileExistsError:
                continue
            return entry
        raise InputError(
            f"others write faster to this log: {TRIES} numbers were taken before this entry was written",
            where=self.url,
            fix="Try again",
        )

    def _names(self) -> set[str]:
        return {field.name for field in fields(self.kind)}  # type: ignore[arg-type]
