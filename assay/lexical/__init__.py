"""Hashed words and pairs of words with a linear head: a model that reads thousands of documents a second on a core."""

from assay.lexical.hashing import BITS, hash_texts
from assay.lexical.weights import LexicalWeights, terms_of

__all__ = ["BITS", "LexicalWeights", "hash_texts", "terms_of"]
