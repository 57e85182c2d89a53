"""Hashed words and pairs of words with a linear head: a model that reads thousands of documents a second on a core."""

from assay.lexical.hashing import BITS, Features, hash_texts
from assay.lexical.weights import FILE, LexicalWeights, terms_of

__all__ = ["BITS", "FILE", "Features", "LexicalWeights", "hash_texts", "terms_of"]
