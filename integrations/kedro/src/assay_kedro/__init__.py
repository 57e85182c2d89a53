"""Kedro pipelines over Assay: nodes that call its functions, and datasets for its folders."""
