"""Count the tokens of documents for a budget: by a named tokenizer, or by an estimate that is named as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InputError
from assay.model import locate_encoder, quiet_transformers, refuse_own_code
from assay.storage import TOKEN_ESTIMATE, digest_file, digest_json

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""Files of a tokenizer's folder beside those of its vocabulary, whose names depend on its class."""


@dataclass(frozen=True)
class TokenCounter:
    """Count the tokens that a language model would be trained on."""

    name: str
    """Name for manifests: the tokenizer with its revision or digest, or the name of the estimate."""
    tokenizer: Any = None
    """transformers tokenizer. None for the estimate."""

    def count(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the tokens of each text, shape (n,), without special tokens."""
        # Tokenizers refuse lone surrogates, which UTF-8 cannot encode.
        clean = [text.encode("utf-8", "replace") for text in texts]
        if self.tokenizer is None:
            return np.array([(len(data) + 3) // 4 for data in clean], dtype=np.int64)
        if not texts:
            return np.zeros(0, dtype=np.int64)
        ids = self.tokenizer([data.decode() for data in clean], add_special_tokens=False, verbose=False)["input_ids"]
        return np.array([len(one) for one in ids], dtype=np.int64)


def token_counter(name: str = "") -> TokenCounter:
    """Return the tokenizer of a folder or of `OWNER/NAME@REVISION`. Without a name: the estimate of UTF-8 bytes / 4.

    Raise InputError if the tokenizer does not exist, or if the revision of a hub is not pinned.
    """
    if not name:
        return TokenCounter(TOKEN_ESTIMATE)
    from transformers import AutoTokenizer

    path, revision = locate_encoder(name)
    if not Path(path).is_dir() and revision is None:
        raise InputError(f"the tokenizer {name!r} may change on its hub", fix="Pin a revision: OWNER/NAME@REVISION")
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(path, revision=revision or "main", trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        refuse_own_code(error, name)
        raise InputError(
            f"the tokenizer cannot be loaded: {str(error).splitlines()[0]}",
            where=name,
            fix="Give a folder with tokenizer.json, or OWNER/NAME@REVISION of a hub",
        ) from error
    TokenCounter(name, tokenizer).count([""])  # set up before several threads use it, as in EncoderReader
    if not Path(path).is_dir():
        return TokenCounter(name, tokenizer)
    return TokenCounter(f"{Path(name).name} sha256:{_identity(Path(path), tokenizer)[:16]}", tokenizer)


def _identity(folder: Path, tokenizer: Any) -> str:
    """Return the digest of everything that a tokenizer is made of: its class, and each of its files."""
    names = {*FILES, *tokenizer.vocab_files_names.values()}
    files = {name: digest_file(folder / name) for name in sorted(names) if (folder / name).is_file()}
    return digest_json({"class": type(tokenizer).__name__, "files": files})
