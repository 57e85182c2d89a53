"""Labels by further rubrics, which the same network learns: acquire and validate them as the main ones.

Each set is one folder between tasks, so that one `map_task` prepares all sets. A run of one rubric maps over an empty
list and starts no pod.
"""

from dataclasses import replace
from pathlib import Path

from flytekit import current_context, task

from assay.labels import StoredSet, read_labels, validate
from assay.progress import say
from assay.rubric import rubric_from_labels
from assay.sources import Columns, Period, acquire, open_source
from tasks.resolve_training import FurtherLabels
from tasks.support.caching import by_content
from tasks.support.resources import heavy
from tasks.support.stages import recorded
from tasks.support.types import SetFolder, stored_folder


@task(cache=by_content("source"), **heavy())
def prepare_further(
    source: str, labels: FurtherLabels, columns: Columns, period: Period | None, max_quarantined: float
) -> SetFolder:
    """Acquire and validate one set. The cache is keyed by the revision in `labels`, not by the location."""
    with recorded(f"Labels by {labels.name or 'a further rubric'}"):
        folder = Path(current_context().working_directory)
        snapshot = acquire(open_source(source), columns, folder / "snapshot", period=period, replace=True)
        rubric = labels.rubric
        if rubric is None:
            rubric = rubric_from_labels(read_labels(snapshot), labels.threshold, where=snapshot.sources)
            rubric = replace(rubric, name=labels.name or rubric.name)
        checked = validate(snapshot, rubric, max_quarantined=max_quarantined)
        StoredSet(rubric, folder / "snapshot", checked.documents, checked.quarantine).write(folder / "set")
        say(
            f"{len(checked.documents):,} documents by {rubric.name}; {len(checked.quarantine)} rows quarantined, "
            f"{checked.merged} merged with an equal text"
        )
    return stored_folder(folder / "set")
