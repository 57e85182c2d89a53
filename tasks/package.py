"""Package: build the Bento of a registered version, with the same bytes at every build."""

from pathlib import Path
from typing import NamedTuple

from flytekit import current_context, task

from assay.progress import say
from assay.registry import Registry
from assay.serving import build_bento, packed_digest
from tasks.support.caching import by_content
from tasks.support.resources import light
from tasks.support.stages import Stage, recorded
from tasks.support.types import BentoFolder, stored_folder


class Packaged(NamedTuple):
    bento: BentoFolder
    stage: Stage


# The Bento holds the service's code, which this module does not import: `packed_digest` puts it into the version.
@task(cache=by_content("registry", also=packed_digest), **light())
def package_model(registry: str, version: str) -> Packaged:
    """Pack the weights, the code that serves them, and the list of the packages that it needs."""
    with recorded("Package") as stage:
        registered = Registry(registry).get(version)
        output = Path(current_context().working_directory) / "bento"
        with Registry(registry).open(version) as model:
            bento = build_bento(model, registered.name, output, created=registered.created, replace=True)
        stage.remark = bento.tag
        say(bento.tag)
    return Packaged(stored_folder(output), stage)
