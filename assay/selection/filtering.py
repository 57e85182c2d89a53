"""What a filtering run is asked for: the one definition behind `assay score`, `assay select` and the workflows."""

from dataclasses import dataclass, field

from assay.options import group
from assay.scoring import CascadeConfig, ScoringConfig
from assay.selection.request import SelectionRequest
from assay.sources import Columns, Period


@dataclass(frozen=True)
class FilteringRequest:
    """Everything that decides which documents of a corpus are selected."""

    source: str
    """Corpus: a snapshot, Parquet, JSONL, CSV or WET as file, folder or URL, hf://datasets/OWNER/NAME@REVISION, or
    installed-docs[:PACKAGE,…]."""
    model: str = "champion"
    """Version or alias of the registry, or a model folder."""
    columns: Columns = field(default=Columns(), metadata=group("text", "id", title="columns of the source"))
    period: Period | None = field(default=None, metadata=group(title="period of the source"))
    scoring: ScoringConfig = field(default_factory=ScoringConfig, metadata=group(title="scoring"))
    cascade: CascadeConfig = field(default_factory=CascadeConfig, metadata=group(title="cascade"))
    selection: SelectionRequest = field(default_factory=SelectionRequest, metadata=group(title="selection"))
