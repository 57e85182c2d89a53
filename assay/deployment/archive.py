"""A model folder as model.tar.gz, the form in which SageMaker takes a model."""

import gzip
import tarfile
from pathlib import Path

from assay.storage import staged_file

MODE = 0o644


def write_archive(model: Path, output: Path) -> None:
    """Pack the files of a folder, without the folder itself. The same files give the same bytes: names are sorted, and
    neither times nor owners are kept. `output` appears when it is complete.
    """
    files = sorted(file for file in model.rglob("*") if file.is_file())
    with (
        staged_file(output) as partial,
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in files:
            entry = tarfile.TarInfo(file.relative_to(model).as_posix())
            entry.size, entry.mode = file.stat().st_size, MODE
            with file.open("rb") as content:
                archive.addfile(entry, content)
