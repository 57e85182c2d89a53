"""Train in a container of SageMaker or Vertex AI: what the image runs there as `train`.

    python -m assay.jobs.train [--root FOLDER]

SageMaker: options of `assay train` in /opt/ml/input/config/hyperparameters.json, by their names with _, labels in
/opt/ml/input/data/train, the model to /opt/ml/model, and why it failed to /opt/ml/output/failure, of which SageMaker
shows the first 1,024 characters. /opt/ml/checkpoints, if the job has it, lets a job that was stopped go on.
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html)

Vertex AI: the options in the variable ASSAY_TRAINING, as JSON with `source`; the model to the folder of Cloud Storage
that AIP_MODEL_DIR names. (https://cloud.google.com/vertex-ai/docs/training/code-requirements)
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.options import build
from assay.pipeline import TrainingRequest, train_and_evaluate
from assay.progress import say
from assay.storage import parse_json, upload_folder

ROOT = Path("/opt/ml")
OPTIONS = "ASSAY_TRAINING"
MODEL = "AIP_MODEL_DIR"
CHANNEL = "train"
LAST = "golden.jsonl"
"""File of the model that is uploaded last."""
SHOWN = 1_024
"""Characters of the failure that SageMaker shows."""


def run(root: Path, environment: Mapping[str, str]) -> Path | str:
    """Train as the folders or the variables say. Return the folder or the URL of the model.

    Raise InputError for options or labels that cannot be used.
    """
    if OPTIONS in environment:
        given = parse_json(
            dict[str, Any], environment[OPTIONS].encode(), what=OPTIONS, where="environment", fix="Give JSON"
        )
        target = environment.get(MODEL, "")
        if not target:
            raise InputError(f"{MODEL} is empty", fix="Give the job a baseOutputDirectory")
        folder = _train(given, OPTIONS, root)
        upload_folder(folder, target, last=LAST)
        return target
    file = root / "input/config/hyperparameters.json"
    given = _hyperparameters(file)
    _require_one_host(root / "input/config/resourceconfig.json")
    channel = root / "input/data" / CHANNEL
    if "source" not in given:
        if not channel.is_dir() or not any(channel.iterdir()):
            raise InputError("there are no labels", where=str(channel), fix=f"Give the job a channel {CHANNEL!r}")
        given["source"] = str(channel)
    folder = _train(given, str(file), root)
    output = root / "model"
    # It exists, as a mount: a rename cannot put a folder in its place.
    shutil.copytree(folder, output, dirs_exist_ok=True)
    return output


def _train(given: Mapping[str, Any], where: str, root: Path) -> Path:
    """Train into a folder beside the checkpoints, and return it. A run that was complete there is not repeated."""
    options = dict(given)
    processes = int(options.pop("processes", "1"))
    request = build(TrainingRequest, options, where=where)
    checkpoints = root / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    output = checkpoints / "model"
    if not output.exists():
        train_and_evaluate(request, output, processes=processes)
    return output


def _hyperparameters(file: Path) -> dict[str, Any]:
    """Return the options. Raise InputError if the file is none."""
    if not file.is_file():
        return {}
    given = parse_json(
        dict[str, Any],
        file.read_bytes(),
        what="the hyperparameters",
        where=str(file),
        fix="Give options of assay train",
    )
    # SageMaker's own SDK and console add names of theirs, and empty fields.
    return {name: value for name, value in given.items() if not name.startswith("sagemaker_") and value != ""}


def _require_one_host(file: Path) -> None:
    if not file.is_file():
        return
    hosts = json.loads(file.read_bytes()).get("hosts", [])
    if len(hosts) > 1:
        raise InputError(
            f"the job has {len(hosts)} instances", fix="Give it one, with several GPUs: training uses one machine"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0, 2 after an input that cannot be used, or 1 after any other error."""
    parser = argparse.ArgumentParser(prog="train", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder in the place of /opt/ml")
    # SageMaker passes `train` to an image that has an entry point.
    parser.add_argument("word", nargs="?", choices=["train"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        say(f"model: {run(options.root, os.environ)}")
    except Exception as error:
        known = isinstance(error, InputError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        place = options.root / "output"
        place.mkdir(parents=True, exist_ok=True)
        (place / "failure").write_text(why[:SHOWN], encoding="utf-8")
        if not known:
            raise
        print(f"train: {why}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
