"""A Bento: one registered version, the code that serves it and its list of requirements, in one folder.

`bentoml serve FOLDER` serves it in any environment made from the lock. FOLDER must be an absolute path: BentoML 1.4.39
resolves a relative one inside the folder itself.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

import assay
from assay.errors import InputError
from assay.serving.openapi import describe
from assay.serving.settings import ServeSettings
from assay.storage import digest_folder, staged_folder

CODE = (
    *("__init__.py", "backends.py", "errors.py", "language.py", "parallel.py", "progress.py", "proportions.py"),
    *("options", "rubric", "storage", "scorelog", "lexical", "model", "inference", "serving"),
)
"""Parts of `assay` that a server needs. A test serves a Bento without the checkout."""
NAME = re.compile(r"[^a-z0-9]+")
HASHES = re.compile(r"( \\\n +--hash=\S+)+")
"""The hashes of one line of a lock."""
CREATED = re.compile(r"^( *(?:- )?creation_time:).*$", re.MULTILINE)
ENTRY = '''"""Written when this Bento was built. It names the model that the Bento serves."""

from assay.serving.service import make_service

service = make_service(model={tag!r}, version={version!r})
'''
README = """# {tag}

A classifier of document quality as a service: `POST /score`, `POST /explain`, a page at `/`, `/docs.json`, `/metrics`.

    bentoml serve /absolute/path/of/this/folder

Settings are variables `ASSAY_SERVE_…` (limits, tokens, metrics), listed in `src/assay/serving/settings.py`.
"""


@dataclass(frozen=True)
class Bento:
    """A Bento in a folder."""

    path: Path
    name: str
    version: str
    """Version of the model, also in the tags of the Bento and of the model inside."""

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def model(self) -> Path:
        """Folder of the model inside the Bento."""
        return self.path / "models" / self.name / self.version

    @classmethod
    def open(cls, path: Path) -> "Bento":
        """Open the Bento in a folder. Raise InputError if it is missing, damaged, or holds no model."""
        try:
            fields = yaml.safe_load((path / "bento.yaml").read_text(encoding="utf-8"))
            bento = cls(path.resolve(), fields["name"], fields["version"])
        except FileNotFoundError as error:
            raise InputError("no Bento: bento.yaml is missing", where=str(path)) from error
        except (yaml.YAMLError, TypeError, KeyError) as error:
            raise InputError("bento.yaml cannot be read", where=str(path)) from error
        if not bento.model.is_dir():
            raise InputError(
                f"the model {bento.tag} is not packed in this Bento", where=str(path), fix="Build it again"
            )
        return bento


def build_bento(
    model: Path, version: str, output: Path, *, created: str, requirements: Path | None = None, replace: bool = False
) -> Bento:
    """Pack a registered model folder into the new folder `output`. The same version gives the same bytes everywhere.

    `version` and `created` are the name and the time of the registration (`Version.name`, `Version.created`);
    `requirements` is the lock (default: that of the checkout, or the copy that the installed package brings). Needs no
    network. Raise InputError if the folder is not that version, if `output` exists and `replace` is false, or if
    BentoML fails; nothing is left then.
    """
    if importlib.util.find_spec("bentoml") is None:  # it runs in another process, which would say less
        raise ModuleNotFoundError("No module named 'bentoml'", name="bentoml")
    requirements = requirements or _lock()
    if not requirements.is_file():
        raise InputError("the list of requirements is missing", where=str(requirements))
    digest = digest_folder(model)
    if not digest.startswith(version) or len(version) < 12:
        raise InputError(
            f"this is not the model {version}: its content is {digest[:12]}",
            where=str(model),
            fix="Give a model and its version from the registry",
        )
    name = bento_name(model)
    tag = f"{name}:{version}"
    with (
        staged_folder(output, replace=replace) as folder,
        tempfile.TemporaryDirectory(prefix="assay-bento-") as scratch,
    ):
        home, context = Path(scratch) / "home", Path(scratch) / "context"
        _write_context(context, tag, version, requirements)
        _run_bentoml(home, context, model.resolve(), tag)
        shutil.copytree(home / "bentos" / name / version, folder, dirs_exist_ok=True)
        shutil.copytree(home / "models", folder / "models")
        # BentoML writes the time of the build; the time of the registration keeps the bytes the same.
        for file in (folder / "bento.yaml", folder / "models" / name / version / "model.yaml"):
            text = file.read_text(encoding="utf-8")
            file.write_text(CREATED.sub(rf"\1 '{created}'", text), encoding="utf-8")
        # BentoML's own description knows neither the refusals nor the limits of this service.
        openapi = yaml.safe_dump(describe(ServeSettings(), version, tokens=True), sort_keys=False)
        (folder / "apis" / "openapi.yaml").write_text(openapi, encoding="utf-8")
    return Bento.open(output)


def _lock() -> Path:
    lock = Path(assay.__file__).parents[1] / "requirements.lock"
    return lock if lock.is_file() else Path(sys.prefix) / "share" / "assay" / "requirements.lock"


def packed_files(source: Path | None = None) -> list[Path]:
    """Return the code files of a Bento, in a fixed order. `source`: folder of the package (default: this one)."""
    source = source or Path(assay.__file__).parent
    found = [source / name for name in CODE if (source / name).is_file()]
    for room in (source / name for name in CODE if (source / name).is_dir()):
        found += [file for file in room.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return sorted(found)


def packed_digest(source: Path | None = None) -> str:
    """Return the sha256 of these files, 64 hex digits."""
    source = source or Path(assay.__file__).parent
    digest = hashlib.sha256()
    for file in packed_files(source):
        digest.update(f"{file.relative_to(source).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def bento_name(model: Path) -> str:
    """Return `assay-` and the name of the model's rubric, in the characters that BentoML allows."""
    from assay.model import ModelInfo

    rubric = NAME.sub("-", ModelInfo.read(model).rubric.name.lower()).strip("-")
    return f"assay-{rubric}"[:60].strip("-")


def _write_context(context: Path, tag: str, version: str, requirements: Path) -> None:
    """Write the input of BentoML: the code, an entry module that names the model, the requirements."""
    source = Path(assay.__file__).parent
    for file in packed_files(source):
        target = context / "assay" / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    (context / "entry.py").write_text(ENTRY.format(tag=tag, version=version), encoding="utf-8")
    # Without hashes: pip wants one for every package or for none, and torch, of which there are two builds, has none.
    lock = HASHES.sub("", requirements.read_text(encoding="utf-8"))
    (context / "requirements.txt").write_text(lock, encoding="utf-8")


def _run_bentoml(home: Path, context: Path, model: Path, tag: str) -> None:
    tools = home / "tools"
    tools.mkdir(parents=True)
    # BentoML installs uv from the network if it finds none, although it has nothing to lock here.
    (tools / "uv").write_text("#!/bin/sh\nexit 1\n")
    (tools / "uv").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY_", "BENTOML"))}
    environment |= {
        # A store of its own: the user's ~/bentoml stays unchanged.
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(context),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(home),
    }
    command = [sys.executable, "-m", "assay.serving.pack", str(context), str(model), tag, README.format(tag=tag)]
    run = subprocess.run(command, cwd=context, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        last = (run.stderr or run.stdout).strip().splitlines()[-1:]
        raise InputError(f"BentoML cannot build {tag}: {''.join(last)}")
