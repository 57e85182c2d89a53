"""Exported networks beside the scores: what a backend reads in place of the model folder.

    <root>/backends/<digest>/network.…   an exported network, as `export_network` wrote it
    <root>/backends/<key>.json           what was measured of a backend, see `assay.scoring.backends`

All processes that score read the same exported network: one that each made for itself could differ.
"""

import tempfile
from pathlib import Path

from assay.errors import InputError
from assay.inference import Scorer, arithmetic_of, check_golden, export_network, is_exported
from assay.model import QualityModel
from assay.scoring.plan import PartFolder
from assay.storage import digest_folder, join, list_names, localize, upload_folder

FOLDER = "backends"


def store_network(scorer: Scorer, model: Path, backend: str, texts: list[str], root: str) -> str:
    """Export the network of a model for a backend, store it below `root`, and return its name; empty if none is needed.

    Raise InputError if it cannot be exported, or if it scores the golden documents of the model folder differently:
    then nothing is stored.
    """
    if not is_exported(backend):
        _require_golden(scorer.with_backend(backend, None), model, backend)
        return ""
    assert isinstance(scorer.model, QualityModel)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        folder = Path(scratch) / "network"
        folder.mkdir()
        export_network(scorer.model, backend, texts, folder)
        _require_golden(scorer.with_backend(backend, folder), model, backend)
        name = digest_folder(folder)[:16]
        largest = max(folder.iterdir(), key=lambda file: file.stat().st_size).name
        upload_folder(folder, join(root, FOLDER, name), last=largest)
    return name


def _require_golden(scorer: Scorer, model: Path, backend: str) -> None:
    report = check_golden(scorer, model, arithmetic_of(backend, scorer.model.info.precision))
    if not report.passed:
        raise InputError(
            f"{backend} scores the golden documents differently: off by {report.worst:.3g} labels, allowed are "
            f"{report.tolerance:g}",
            where=str(model),
            fix="Give another backend, or none",
        )


def open_network(scorer: Scorer, folder: PartFolder) -> Scorer:
    """Return a scorer whose network the backend of a plan computes; the same scorer if the plan names none.

    Raise InputError if the exported network is missing or damaged, or if this machine does not have the backend.
    """
    backend = folder.plan.backend
    if backend is None:
        return scorer
    if not backend.network:
        return scorer.with_backend(backend.name, None, backend.bands)
    place = join(folder.url.rstrip("/").rpartition("/")[0], FOLDER, backend.network)
    if not list_names(place):
        raise InputError("the exported network of these scores is missing", where=place, fix="Restore it")
    with localize(place) as local:
        if not digest_folder(local).startswith(backend.network):
            raise InputError("this exported network is not what was written", where=place, fix="Restore it")
        return scorer.with_backend(backend.name, local, backend.bands)
