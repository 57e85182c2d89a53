"""Steps of a pipeline after the training, each a process of its own: register a model, and release a version.

    python -m assay.jobs.steps register --model FOLDER --registry URL --output FOLDER
    python -m assay.jobs.steps release --version FOLDER --registry URL --test-set SOURCE --target TARGET

They call what the tasks of Flyte call, in the same order (`workflows/deployment.py`).
"""

import argparse
import json
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from assay import release
from assay.deployment import parse_target
from assay.errors import InputError
from assay.options import build, read_options
from assay.progress import say
from assay.promotion import ChallengeRequest
from assay.registry import Decision
from assay.storage import staged_file

WHO = "pipeline"
VERSION = "version.json"


def register(model: Path, registry: str, output: Path) -> str:
    """Register the model of a job, a folder or the model.tar.gz in it. Write its version, and return it."""
    with tempfile.TemporaryDirectory(prefix="assay-step-") as scratch:
        archive = model / "model.tar.gz"
        if archive.is_file():
            with tarfile.open(archive) as packed:
                packed.extractall(scratch, filter="data")
            model = Path(scratch)
        added = release.register_model(registry, model, who=WHO)
    say(added.sentence)
    output.mkdir(parents=True, exist_ok=True)
    with staged_file(output / VERSION) as partial:
        partial.write_text(json.dumps({"version": added.version}), encoding="utf-8")
    return added.version


def put_in_service(version: str, registry: str, test_set: str, target: str, options: str) -> Decision:
    """Compare a version with the champion, and put it in service if it passes. Whatever fails, the champion serves.

    Raise InputError after the former version was restored.
    """
    given = read_options(options, where="--options") if options else {}
    request = build(ChallengeRequest, {**given, "source": test_set}, where="--options")
    settings = parse_target(target)
    change = release.plan_change(registry, version, settings, move="promote", who=WHO, why="")
    change = release.challenge_with(change, request)
    try:
        served = release.move_champion(change, release.prove(change, release.deploy(change)))
    except InputError as error:
        release.restore(change, str(error))
        raise
    return release.conclude(change, served)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step. Return 0, or 2 after an input that cannot be used."""
    parser = argparse.ArgumentParser(prog="assay.jobs.steps", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    one, two = steps.add_parser("register"), steps.add_parser("release")
    one.add_argument("--model", type=Path, required=True)
    one.add_argument("--output", type=Path, required=True)
    two.add_argument("--version", type=Path, required=True)
    two.add_argument("--test-set", required=True)
    two.add_argument("--target", required=True)
    two.add_argument("--options", default="")
    for each in (one, two):
        each.add_argument("--registry", required=True)
    given = parser.parse_args(arguments)
    try:
        if given.step == "register":
            register(given.model, given.registry, given.output)
        else:
            version = json.loads((given.version / VERSION).read_bytes())["version"]
            say(put_in_service(version, given.registry, given.test_set, given.target, given.options).sentence)
    except InputError as error:
        print(f"{given.step}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
