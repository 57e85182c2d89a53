"""The data card of a built snapshot, in the format of Hugging Face data sets."""

from assay.curation.funnel import Funnel
from assay.curation.samples import DriftLook
from assay.report import Prose, Report, Section, Table, render_markdown
from assay.storage import Snapshot


def build_card(snapshot: Snapshot, funnel: Funnel, look: DriftLook) -> str:
    """Markdown below a YAML head, by which `datasets` finds the shards."""
    manifest = snapshot.manifest
    (source,) = manifest.provenance["sources"]
    head = {
        "pretty_name": "Cleaned documents",
        "task_categories": ["text-generation"],
        "tags": ["pretraining-data"],
        "language": sorted(code for code in look.languages if code != "unknown")[:20],
        "configs": [{"config_name": "default", "data_files": "part-*.parquet"}],
    }
    sections = [
        Section(
            "What this is",
            [
                Prose(
                    f"{manifest.rows:,} documents of {funnel.found.documents:,} that were found in the source, "
                    f"{manifest.tokens:,} tokens ({manifest.tokenizer})."
                ),
                Table(funnel.steps(), "What became of the documents."),
            ],
        ),
        Section("Columns", [Prose(", ".join(f"`{name}` ({kind})" for name, kind in manifest.schema.items()))]),
        Section(
            "Beside the documents",
            [
                Prose(
                    "`_dropped.parquet`: every document that was dropped, with where it came from, why, what was "
                    "measured, and how it begins. `_clusters.parquet`: documents that have duplicates, and which one "
                    "of each cluster stayed. `report.html`: figures and samples."
                )
            ],
        ),
        Section(
            "Lineage", [Prose(f"Source: {source['uri']}, revision {source['revision']}. Version {manifest.version}.")]
        ),
    ]
    return render_markdown(Report("Cleaned documents", sections=sections), head)
