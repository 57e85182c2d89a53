"""MinHash signatures of texts: what is kept of a text so that near-duplicates of it can be found without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from assay.dedup.config import DedupConfig
from assay.dedup.text import mix, normalise, shingles, text_digest

LOW_32_BITS = np.uint64(0xFFFFFFFF)
PIECE = 4096  # shingles hashed at a time: the table of permuted hashes stays in the processor's cache


class Signer:
    """Makes signatures; the same text and settings give the same one, on any machine."""

    def __init__(self, config: DedupConfig) -> None:
        self.config = config
        # The shingles are hashes already; MinHash mixes and permutes them.
        self._empty = MinHash(config.permutations, hashfunc=lambda shingle: shingle, scheme="affine32")

    def shingles(self, text: str) -> NDArray[np.uint64]:
        """The set of shingles of a text, hashed and sorted."""
        return shingles(normalise(text), words=self.config.shingle_words, characters=self.config.shingle_characters)

    def sign(self, text: str) -> NDArray[np.uint32]:
        """The least hash of the text's shingles under each permutation, shape (permutations,)."""
        minhash = self._empty.copy()
        hashes = (self.shingles(text) & LOW_32_BITS).tolist()
        for start in range(0, len(hashes), PIECE):
            minhash.update_batch(hashes[start : start + PIECE])
        return np.asarray(minhash.hashvalues, np.uint32)


@dataclass(frozen=True)
class Marks:
    """What is kept of n texts: 16 bytes of digest, 8 a band and 1 a permutation for each."""

    digest: NDArray[np.uint64]
    """Of the normalised text, shape (n, 2)."""
    bands: NDArray[np.uint64]
    """Texts that share a band's key may be near-duplicates; shape (n, bands)."""
    bits: NDArray[np.uint8]
    """The lowest byte of each hash of the signature, shape (n, permutations): enough to estimate similarities."""


def band_keys(signatures: NDArray[np.uint32], rows: int) -> NDArray[np.uint64]:
    """A key for each band of `rows` hashes, shape (n, bands); what is left over belongs to no band."""
    n, permutations = signatures.shape
    bands = signatures[:, : permutations // rows * rows].reshape(n, permutations // rows, rows)
    keys = np.zeros(bands.shape[:2], np.uint64)
    for column in range(rows):
        # An accidental agreement only proposes a pair in vain.
        keys = mix(keys * np.uint64(31) + bands[:, :, column])
    return keys


def marks(texts: Sequence[str], config: DedupConfig) -> Marks:
    """Of n texts, in their order. About 1 ms a web document."""
    signer = Signer(config)
    signatures = np.empty((len(texts), config.permutations), np.uint32)
    digest = np.empty((len(texts), 2), np.uint64)
    for row, text in enumerate(texts):
        signatures[row] = signer.sign(text)
        digest[row] = np.frombuffer(bytes.fromhex(text_digest(text)), "<u8")
    return Marks(digest, band_keys(signatures, config.band_rows), (signatures & 0xFF).astype(np.uint8))


def similarity(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of pairs, shape (m,), from their bytes, shape (m, permutations) each.

    Unequal hashes share their lowest byte once in 256 times, which is taken off: Li and König, "b-Bit Minwise
    Hashing" (2010). Standard error at similarity s: about sqrt(s (1 - s) / permutations).
    """
    chance = 1 / 256
    return ((one == two).mean(axis=1) - chance) / (1 - chance)
