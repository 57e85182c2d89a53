"""What a pod runs before its server: a version of the registry, verified, packed as the Bento that is served.

    python -m assay.deployment.fetch --registry URL --version VERSION --output FOLDER

Done before, it is not done again: a container that is restarted goes on at once. Each file is compared with what was
registered; a version that is damaged on its way is no Bento, and a Bento appears when it is complete.
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
    """Raises InputError where no version is named, it is not there, or is not what was registered; then nothing new is
    at `output`."""
    if not version:
        raise InputError("no version was deployed yet", fix="`assay deploy VERSION --target kubernetes`")
    if (output / "bento.yaml").is_file():
        bento = Bento.open(output)
        if bento.version == version:
            return bento
    registered = Registry(registry).get(version)
    with Registry(registry).open(registered.name) as model:
        return build_bento(model, registered.name, output, created=registered.created, replace=output.exists())


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 2 after one line that says what was wrong."""
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
