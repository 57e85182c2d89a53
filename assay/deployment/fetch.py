"""Fetch a version from the registry, verify it, and pack it as a Bento: the init container of a pod.

    python -m assay.deployment.fetch --registry URL --version VERSION --output FOLDER

A version that FOLDER holds already is not fetched again, so that a restarted container starts at once. Each file is
compared with its registered digest, and a damaged version is refused. FOLDER appears when it is complete.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from assay.errors import InputError
from assay.progress import say
from assay.registry import Registry
from assay.serving import Bento, build_bento


def fetch(registry: str, version: str, output: Path) -> Bento:
    """Fetch `version` into the folder `output`, and return its Bento.

    Raise InputError if `version` is empty, is not in the registry, or differs from what was registered. `output` is
    unchanged then.
    """
    if not version:
        # The manifests name no version: the first deployment does.
        raise InputError("no version was deployed yet", fix="`assay deploy VERSION --target kubernetes`")
    if (output / "bento.yaml").is_file():
        bento = Bento.open(output)
        if bento.version == version:
            return bento
    registered = Registry(registry).get(version)
    with Registry(registry).open(registered.name) as model:
        return build_bento(model, registered.name, output, created=registered.created, replace=output.exists())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return the exit status: 0, or 2 after one line with the error."""
    parser = argparse.ArgumentParser(prog="assay.deployment.fetch", description=__doc__)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args(arguments)
    try:
        bento = fetch(options.registry, options.version.strip(), options.output)
        say(f"{bento.tag}: {bento.path}")
    except InputError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
