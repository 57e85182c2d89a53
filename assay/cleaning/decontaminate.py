"""Find documents that contain parts of benchmarks: they share word n-grams with a folder of benchmark texts.

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
from assay.progress import bar, say
from assay.sources import KINDS, is_text, kind_of, list_files, listed, read_batches, read_schema
from assay.storage import digest_json

WORDS = 13
"""Words in an n-gram."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Overlap:
    """Overlap of a document with benchmarks."""

    share: float
    """Share of the document's n-grams that also occur in a benchmark, from 0 to 1."""
    benchmarks: tuple[str, ...]
    """Names of the files of these benchmarks, sorted."""


NO_OVERLAP = Overlap(0.0, ())


@dataclass(frozen=True)
class Benchmarks:
    """N-grams of all benchmark texts of a folder."""

    ngrams: NDArray[np.uint64]
    """Hashes of the n-grams, shape (k,), in rising order."""
    owner: NDArray[np.int32]
    """Number of the file of each n-gram, shape (k,). If several files have it, the first of them."""
    names: tuple[str, ...]
    """Names of the files."""
    texts: int
    """Number of texts in all files."""
    too_short: int
    """Number of texts with fewer words than an n-gram. They cannot be found."""

    @cached_property
    def digest(self) -> str:
        """Text that changes whenever another document could be marked."""
        # Fixed byte orders, so that the digest is the same on any machine.
        content = hashlib.sha256(self.ngrams.astype("<u8").tobytes())
        content.update(self.owner.astype("<i4").tobytes())
        return digest_json([WORDS, list(self.names), content.hexdigest()])

    def overlap(self, text: str) -> Overlap:
        """Return the overlap of one document. Any str is accepted, lone surrogates included."""
        grams = word_ngrams(_words(text), WORDS)
        if not len(grams) or not len(self.ngrams):
            return NO_OVERLAP
        # For a hash above all others, searchsorted returns the length, which is no index.
        place = np.minimum(np.searchsorted(self.ngrams, grams), len(self.ngrams) - 1)
        hit = self.ngrams[place] == grams
        if not hit.any():
            return NO_OVERLAP
        owners = np.unique(self.owner[place[hit]]).tolist()
        return Overlap(float(hit.mean()), tuple(sorted(self.names[owner] for owner in owners)))


def read_benchmarks(folder: str) -> Benchmarks:
    """Read a folder or file: `.txt` (a file is one text), and JSONL, Parquet or CSV (a cell of text is one text).

    Raise InputError if the path is missing, or if no text has at least WORDS words.
    """
    fs, root = fsspec.core.url_to_fs(folder)
    if not fs.exists(root):
        raise InputError("no such file or folder of benchmark texts", where=folder, fix="Check the path")
    if fs.isfile(root):
        paths = [root] if root.endswith(".txt") or kind_of(root) else []
    else:
        listing = list_files(fs, root, folder, also=(".txt",))
        if listing.passed:
            say(f"benchmark texts: passed over {listed(listing.passed)}")
        paths = [f"{root.rstrip('/')}/{name}" for name in listing.files]
    grams: list[NDArray[np.uint64]] = []
    owners: list[NDArray[np.int32]] = []
    texts = too_short = 0
    for number, path in enumerate(bar(paths, unit=" files", what="benchmarks")):
        for text in _texts(fs, path):
            found = word_ngrams(_words(text), WORDS)
            texts, too_short = texts + 1, too_short + (not len(found))
            grams.append(found)
            owners.append(np.full(len(found), number, np.int32))
    # With an empty array first, a folder without texts reaches the message below.
    every = np.concatenate([np.empty(0, np.uint64), *grams])
    if not len(every):
        raise InputError(
            f"no benchmark text of {WORDS} words or more",
            where=folder,
            fix=f"Give .txt, {', '.join(KINDS)} files with the questions and answers of the benchmarks",
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
