"""Count scores: what lies above the bin of the cut, and the documents of it, for one share of the parts."""

from flytekit import task
from flytekit.types.file import FlyteFile

from assay.selection import CountShare, count_share
from tasks.support.caching import by_content
from tasks.support.resources import cleaner
from tasks.support.selecting import stored_json
from tasks.support.shares import read_share
from tasks.support.stages import recorded


@task(cache=by_content(), **cleaner())
def count_scores(share: FlyteFile) -> FlyteFile:
    """Count the parts of a CountShare, and return a CountedShare."""
    with recorded("Count"):
        return stored_json(count_share(read_share(CountShare, share)))
