"""Serve the model that SageMaker or Vertex AI gives to a container: what the image runs there as `serve`.

    python -m assay.deployment.container [--root FOLDER]

SageMaker unpacks model.tar.gz into /opt/ml/model and calls port 8080. Vertex AI names a folder of Cloud Storage
(AIP_STORAGE_URI), a port and two routes. In both cases the model is packed as a Bento, as in a pod, and this process
becomes its server. ASSAY_MODEL_VERSION, which a deployment sets, must be the content's own digest.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError
from assay.progress import say
from assay.serving import PREFIX, PROCESS, Bento, build_bento
from assay.storage import digest_folder, download_folder, list_names

ROOT = Path("/opt/ml")
VERSION = "ASSAY_MODEL_VERSION"
CREATED = "ASSAY_MODEL_CREATED"
STORAGE = "AIP_STORAGE_URI"
UNKNOWN = "1970-01-01T00:00:00+00:00"
"""Time in the Bento of a version whose registration is not known here."""


@dataclass(frozen=True)
class Launch:
    """How to start the server."""

    bento: Path
    port: int
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        """Command line of the server."""
        serve = [sys.executable, "-m", "bentoml", "serve", str(self.bento)]
        return [*serve, "--host", "0.0.0.0", "--port", str(self.port)]


def prepare(environment: Mapping[str, str], root: Path, scratch: Path) -> Launch:
    """Fetch the model if need be, pack it below `scratch`, and return how to start its server.

    Raise InputError if there is no model, if it is not the version that the environment names, or if a variable of the
    platform cannot be used.
    """
    vertex = STORAGE in environment or "AIP_HTTP_PORT" in environment
    model = _download(environment.get(STORAGE, ""), scratch) if vertex else root / "model"
    bento = _pack(model, environment, scratch)
    settings = {"PLATFORM": "vertex" if vertex else "sagemaker"}
    if vertex:
        routes = {"HEALTH_ROUTE": "AIP_HEALTH_ROUTE", "PREDICT_ROUTE": "AIP_PREDICT_ROUTE"}
        settings |= {name: environment[given] for name, given in routes.items() if environment.get(given)}
    port = _port(environment, "AIP_HTTP_PORT" if vertex else "SAGEMAKER_BIND_TO_PORT")
    kept = {**environment, **PROCESS, **{PREFIX + name: value for name, value in settings.items()}}
    home = {"BENTOML_HOME": str(scratch / "home"), "BENTOML_CONTAINERIZED": "true"}
    kept.pop("PYTHONPATH", None)  # the code in the Bento serves
    return Launch(bento.path, port, {**kept, **home})


def _download(uri: str, scratch: Path) -> Path:
    if not uri:
        raise InputError(f"{STORAGE} is empty", fix="Upload the model with its artifactUri: `assay deploy` does")
    model = scratch / "model"
    try:
        if model.exists():  # a restarted container has it already
            return model
        if not list_names(uri):
            raise InputError("there is no model", where=uri, fix="Upload it again: `assay deploy` does")
        download_folder(uri, model)
        return model
    except (OSError, ImportError) as error:
        raise InputError(
            f"the model cannot be downloaded: {error}",
            where=uri,
            fix="Let the service account of the endpoint read that folder",
        ) from error


def _pack(model: Path, environment: Mapping[str, str], scratch: Path) -> Bento:
    if not model.is_dir() or not any(model.iterdir()):
        raise InputError("there is no model", where=str(model), fix="Give model.tar.gz with the files of a version")
    version = environment.get(VERSION) or digest_folder(model)[:12]
    output = scratch / "bento"
    created = environment.get(CREATED) or UNKNOWN
    return build_bento(model, version, output, created=created, replace=output.exists())


def _port(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name) or "8080"
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise InputError(f"{name} is {text!r}", fix="Give a port from 1 to 65535")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace this process by the server. Return 2 after one line with the error if that is not possible."""
    parser = argparse.ArgumentParser(prog="serve", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder in the place of /opt/ml")
    # SageMaker passes `serve` to an image that has an entry point.
    parser.add_argument("word", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        scratch = Path(tempfile.gettempdir()) / "assay-container"
        scratch.mkdir(exist_ok=True)
        launch = prepare(os.environ, options.root, scratch)
    except InputError as error:
        print(f"serve: {error}", file=sys.stderr)
        return 2
    say(f"{launch.bento} at port {launch.port}")
    os.chdir(scratch)
    os.execve(launch.command[0], launch.command, launch.environment)
    raise AssertionError("execve does not return")


if __name__ == "__main__":
    sys.exit(main())
