"""Settings of the search for near-duplicates."""

from dataclasses import dataclass

from assay.errors import InputError


@dataclass(frozen=True)
class DedupConfig:
    """Definition of a near-duplicate, and settings of the search."""

    threshold: float = 0.7
    """Smallest Jaccard similarity of the shingle sets of near-duplicates; above 0, at most 1."""
    shingle_words: int = 5
    """Consecutive words in a shingle."""
    shingle_characters: int = 5
    """Consecutive characters in a shingle of a text that is short or has no spaces between words."""
    permutations: int = 128
    """Length of a MinHash signature, from 16 to 1024. A longer one allows finer banding and takes more time."""
    recall: float = 0.999
    """Smallest probability that a pair exactly at the threshold is compared; above 0, below 1."""

    def __post_init__(self) -> None:
        checks = {
            f"threshold {self.threshold:g} must be above 0 and at most 1": 0 < self.threshold <= 1,
            f"shingle_words {self.shingle_words} must be at least 1": self.shingle_words >= 1,
            f"shingle_characters {self.shingle_characters} must be at least 1": self.shingle_characters >= 1,
            f"permutations {self.permutations} must be between 16 and 1024": 16 <= self.permutations <= 1024,
            f"recall {self.recall:g} must be above 0 and below 1": 0 < self.recall < 1,
        }
        for what, holds in checks.items():
            if not holds:
                raise InputError(what, where="near-duplicates", fix="Give a value within these bounds")
        if self._found(1) < self.recall:
            raise InputError(
                f"{self.permutations} permutations find only {self._found(1):.2%} of the pairs at threshold "
                f"{self.threshold:g}",
                where="near-duplicates",
                fix="Raise permutations, or the threshold",
            )

    def _found(self, rows: int) -> float:
        """Return the probability that a pair at the threshold agrees in at least one band of `rows` hashes.

        Formula: Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
        """
        return float(1 - (1 - self.threshold**rows) ** (self.permutations // rows))

    @property
    def band_rows(self) -> int:
        """Hashes in a band: the most that keep `recall`, since longer bands propose fewer pairs that are no match."""
        return max(rows for rows in range(1, self.permutations + 1) if self._found(rows) >= self.recall)


DEFAULT = DedupConfig()
