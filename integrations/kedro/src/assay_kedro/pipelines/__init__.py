"""The pipelines, a folder each: its nodes, and how they are connected."""
