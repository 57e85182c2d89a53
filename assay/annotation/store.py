"""The store of answers: one object for each, created once. What is in it is never paid again.

    <root>/<context>/context.json                     prompt, judge and sampling settings, for people
    <root>/<context>/<ab>/<digest of the span>-<repeat>.json

The context is a digest of prompt, judge and sampling settings. An answer is written before its thread asks the next
question, by a conditional PUT or a hard link, so that a run that is killed loses no answer that it received, and of two
runs at once one wins.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass

from assay.annotation.answer import Answer
from assay.annotation.judge import Judge
from assay.annotation.prompt import Prompt
from assay.errors import InputError
from assay.storage import create, digest_json, join, list_names, parse_json, read_bytes

READERS = 16
"""Threads that read at once: an object store answers each request in tens of milliseconds."""
CONTEXT = 16
"""Hex digits of a context in names."""
Key = tuple[str, int]
"""Digest of a span, and the number of the repeat."""


@dataclass(frozen=True)
class AnswerStore:
    """The answers of one judge to one prompt."""

    url: str
    """Path or fsspec URL of the folder."""
    prompt: str
    judge: str

    @classmethod
    def open(cls, root: str, prompt: Prompt, judge: Judge) -> "AnswerStore":
        """Return the store of a judge below `root`, and note there what it belongs to."""
        described = {"prompt": prompt.digest, "judge": judge.name, "sampling": judge.sampling}
        context = digest_json(described)[:CONTEXT]
        note = {**described, "rubric": prompt.rubric.name, "system": prompt.system}
        with suppress(FileExistsError):
            create(join(root, context, "context.json"), json.dumps(note, indent=2, ensure_ascii=False).encode())
        return cls(join(root, context), prompt.digest, judge.name)

    @property
    def context(self) -> str:
        """Return the digest in the name of the folder, 16 hex digits."""
        return self.url.rsplit("/", 1)[-1]

    def keys(self) -> set[Key]:
        """Return the keys of all answers in the store, by listing."""
        folders = [name for name in list_names(self.url) if len(name) == 2]
        with ThreadPoolExecutor(READERS) as pool:
            listed = pool.map(lambda name: list_names(join(self.url, name)), folders)
            return {key for names in listed for name in names if (key := _key(name)) is not None}

    def write(self, answer: Answer) -> bool:
        """Write an answer. Return False if another run was faster; its answer stays."""
        try:
            create(self._place((answer.span, answer.repeat)), json.dumps(asdict(answer), ensure_ascii=False).encode())
        except FileExistsError:
            return False
        return True

    def read(self, keys: Iterable[Key]) -> Mapping[Key, Answer]:
        """Return answers by their keys. Raise InputError if one is damaged or belongs elsewhere."""
        wanted = list(keys)
        with ThreadPoolExecutor(READERS) as pool:
            return dict(zip(wanted, pool.map(self._one, wanted), strict=True))

    def _one(self, key: Key) -> Answer:
        place = self._place(key)
        fix = "Remove this file: the question is then asked again"
        found = parse_json(Answer, read_bytes(place), what="this answer", where=place, fix=fix)
        if (found.prompt, found.judge, found.span, found.repeat) != (self.prompt, self.judge, *key):
            raise InputError("this answer belongs to another question", where=place, fix=fix)
        return found

    def _place(self, key: Key) -> str:
        span, repeat = key
        return join(self.url, span[:2], f"{span}-{repeat}.json")


def _key(name: str) -> Key | None:
    stem, _, ending = name.partition(".")
    span, _, repeat = stem.partition("-")
    return (span, int(repeat)) if ending == "json" and len(span) == 64 and repeat.isdecimal() else None
