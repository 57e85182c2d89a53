"""Write the shards of one share of a selection, straight to their place."""

from flytekit import task
from flytekit.types.file import FlyteFile

from assay.selection import SelectionShare, write_share
from tasks.support.caching import by_content
from tasks.support.resources import cleaner
from tasks.support.selecting import stored_json
from tasks.support.shares import read_share
from tasks.support.stages import recorded


@task(cache=by_content(), **cleaner())
def write_selected(share: FlyteFile) -> FlyteFile:
    """Write the shards of a SelectionShare to their place, and return a WrittenShare."""
    with recorded("Write the selection"):
        return stored_json(write_share(read_share(SelectionShare, share)))
