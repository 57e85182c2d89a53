"""Which documents hold pieces of benchmarks: word n-grams in common with a folder of benchmark texts.

Method: Brown et al., "Language Models are Few-Shot Learners" (2020), appendix C: 13-grams of lower-case words without
punctuation.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import fsspec
import numpy as np
from numpy.typing import NDArray

from assay.dedup import normalise, word_ngrams
from assay.errors import InputError
from assay.progress import bar
from assay.sources import KINDS, is_text, kind_of, read_batches, read_schema
from assay.storage import digest_json

WORDS = 13
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Overlap:
    """What a document has in common with benchmarks."""

    share: float
    """Of its n-grams, those that stand in a benchmark."""
    benchmarks: tuple[str, ...]
    """Names of their files, sorted."""


NO_OVERLAP = Overlap(0.0, ())


@dataclass(frozen=True)
class Benchmarks:
    """The n-grams of all texts of a folder."""

    ngrams: NDArray[np.uint64]
    """Hashes, shape (k,), rising."""
    owner: NDArray[np.int32]
    """Number of the file of each, shape (k,); one of them where several have it."""
    names: tuple[str, ...]
    texts: int
    too_short: int
    """Texts of fewer words than an n-gram has, which cannot be found."""

    @cached_property
    def digest(self) -> str:
        """Changes whenever another document could be marked."""
        content = hashlib.sha256(self.ngrams.astype("<u8").tobytes())
        content.update(self.owner.astype("<i4").tobytes())
        return digest_json([WORDS, list(self.names), content.hexdigest()])

    def overlap(self, text: str) -> Overlap:
        """Of one document; any str will do."""
        grams = word_ngrams(_words(text), WORDS)
        if not len(grams) or not len(self.ngrams):
            return NO_OVERLAP
        place = np.minimum(np.searchsorted(self.ngrams, grams), len(self.ngrams) - 1)
        hit = self.ngrams[place] == grams
        if not hit.any():
            return NO_OVERLAP
        owners = np.unique(self.owner[place[hit]]).tolist()
        return Overlap(float(hit.mean()), tuple(sorted(self.names[owner] for owner in owners)))


def read_benchmarks(folder: str) -> Benchmarks:
    """Read a folder or file: `.txt` (one text a file), and JSONL, Parquet or CSV (one text a cell of a text column).

    Raises InputError where there is none, or no text is long enough to be found.
    """
    fs, root = fsspec.core.url_to_fs(folder)
    if not fs.exists(root):
        raise InputError("no such file or folder of benchmark texts", where=folder, fix="Check the path")
    paths = [root] if fs.isfile(root) else sorted(fs.find(root))
    paths = [path for path in paths if path.endswith(".txt") or kind_of(path)]
    grams: list[NDArray[np.uint64]] = []
    owners: list[NDArray[np.int32]] = []
    texts = too_short = 0
    for number, path in enumerate(bar(paths, unit=" files", what="benchmarks")):
        for text in _texts(fs, path):
            found = word_ngrams(_words(text), WORDS)
            texts, too_short = texts + 1, too_short + (not len(found))
            grams.append(found)
            owners.append(np.full(len(found), number, np.int32))
    every = np.concatenate([np.empty(0, np.uint64), *grams])
    if not len(every):
        raise InputError(
            f"no benchmark text of {WORDS} words or more",
            where=folder,
            fix=f"Give .txt, {', '.join(KINDS)} files of the benchmarks' questions and answers",
        )
    ngrams, first = np.unique(every, return_index=True)
    names = tuple(path.rsplit("/", 1)[-1] for path in paths)
    return Benchmarks(ngrams, np.concatenate(owners)[first], names, texts, too_short)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(normalise(text)))


def _texts(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[str]:
    if path.endswith(".txt"):
        yield fs.cat_file(path).decode("utf-8", "replace")
        return
    schema = read_schema(fs, path)
    for batch in read_batches(fs, path, schema):
        for column, field in zip(batch.columns, batch.schema, strict=True):
            if is_text(field.type):
                yield from (value for value in column.to_pylist() if value)
