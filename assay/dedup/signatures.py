"""Compute MinHash signatures of texts, by which near-duplicates are found without the texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from assay.dedup.config import DedupConfig
from assay.dedup.text import mix, normalise, shingles, text_digest

LOW_32_BITS = np.uint64(0xFFFFFFFF)
PIECE = 4096
"""Shingles hashed at a time, so that the table of permuted hashes stays in the cache of the processor."""


class Signer:
    """Makes signatures. The same text and settings give the same signature on any machine."""

    def __init__(self, config: DedupConfig) -> None:
        self.config = config
        # The shingles are hashes already, so that MinHash need not hash them: it only permutes them.
        self._empty = MinHash(config.permutations, hashfunc=lambda shingle: shingle, scheme="affine32")

    def shingles(self, text: str) -> NDArray[np.uint64]:
        """Return the set of shingles of a text as sorted 64-bit hashes."""
        return shingles(normalise(text), words=self.config.shingle_words, characters=self.config.shingle_characters)

    def sign(self, text: str) -> NDArray[np.uint32]:
        """Return the smallest hash of the text's shingles under each permutation, shape (permutations,)."""
        minhash = self._empty.copy()
        # The scheme affine32 permutes 32-bit hashes.
        hashes = (self.shingles(text) & LOW_32_BITS).tolist()
        for start in range(0, len(hashes), PIECE):
            minhash.update_batch(hashes[start : start + PIECE])
        return np.asarray(minhash.hashvalues, np.uint32)


@dataclass(frozen=True)
class Marks:
    """Marks of n texts, by which they are compared. Bytes for each text: 16, and 8 a band, and 1 a permutation."""

    digest: NDArray[np.uint64]
    """Digests of the normalised texts, shape (n, 2)."""
    bands: NDArray[np.uint64]
    """Keys of the bands, shape (n, bands). Texts that share a key may be near-duplicates."""
    bits: NDArray[np.uint8]
    """Lowest byte of each hash of the signatures, shape (n, permutations), for `similarity`."""


def band_keys(signatures: NDArray[np.uint32], rows: int) -> NDArray[np.uint64]:
    """Return a key for each band of `rows` hashes, shape (n, bands). Hashes left over at the end are not used."""
    n, permutations = signatures.shape
    bands = signatures[:, : permutations // rows * rows].reshape(n, permutations // rows, rows)
    keys = np.zeros(bands.shape[:2], np.uint64)
    for column in range(rows):
        # Keys may agree by accident: that only proposes a pair, which the comparison then rejects.
        keys = mix(keys * np.uint64(31) + bands[:, :, column])
    return keys


def marks(texts: Sequence[str], config: DedupConfig) -> Marks:
    """Return the marks of n texts, in their order. Takes about 1 ms for a web document."""
    signer = Signer(config)
    signatures = np.empty((len(texts), config.permutations), np.uint32)
    digest = np.empty((len(texts), 2), np.uint64)
    for row, text in enumerate(texts):
        signatures[row] = signer.sign(text)
        digest[row] = np.frombuffer(bytes.fromhex(text_digest(text)), "<u8")
    return Marks(digest, band_keys(signatures, config.band_rows), (signatures & 0xFF).astype(np.uint8))


def similarity(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the estimated Jaccard similarity of m pairs, shape (m,), from `bits` of shape (m, permutations) each.

    Unequal hashes share their lowest byte once in 256 times; the estimate is corrected for it: Li and König, "b-Bit
    Minwise Hashing" (2010). Standard error at similarity s: about sqrt(s (1 - s) / permutations).
    """
    chance = 1 / 256
    return ((one == two).mean(axis=1) - chance) / (1 - chance)
