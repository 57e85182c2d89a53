"""Write the data card of a built snapshot, in the format of Hugging Face data sets."""

from assay.curation.funnel import Funnel
from assay.curation.samples import ReportSamples
from assay.report import Prose, Report, Section, Table, render_markdown
from assay.storage import Snapshot


def build_card(snapshot: Snapshot, funnel: Funnel, samples: ReportSamples) -> str:
    """Return Markdown below a YAML head. From the head `datasets` knows which files are shards."""
    manifest = snapshot.manifest
    (source,) = manifest.provenance["sources"]
    head = {
        "pretty_name": "Cleaned documents",
        "task_categories": ["text-generation"],
        "tags": ["pretraining-data"],
        "language": sorted(code for code in samples.languages if code != "unknown")[:20],
        "configs": [{"config_name": "default", "data_files": "part-*.parquet"}],
    }
    sections = [
        Section(
            "What this is",
            [
                Prose(
                    f"{manifest.rows:,} of {funnel.found.documents:,} documents of the source, "
                    f"{manifest.tokens:,} tokens ({manifest.tokenizer})."
                ),
                Table(funnel.steps(), "Documents left after each step."),
            ],
        ),
        Section("Columns", [Prose(", ".join(f"`{name}` ({kind})" for name, kind in manifest.schema.items()))]),
        Section(
            "Other files",
            [
                Prose(
                    "`_dropped.parquet`: every dropped document, with its origin, the reason, the measured value and "
                    "its beginning. `_clusters.parquet`: documents with duplicates, and the kept document of each "
                    "cluster. `report.html`: figures and samples."
                )
            ],
        ),
        Section(
            "Lineage", [Prose(f"Source: {source['uri']}, revision {source['revision']}. Version {manifest.version}.")]
        ),
    ]
    return render_markdown(Report("Cleaned documents", sections=sections), head)
