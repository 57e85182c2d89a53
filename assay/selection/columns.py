"""Columns of a selection beyond those of its corpus."""

import pyarrow as pa

ADDED = {
    "score": pa.float64(),
    "calibrated": pa.float64(),
    "p_keep": pa.float64(),
    "grade": pa.int64(),
    "tokens": pa.int64(),
    "corpus_row": pa.int64(),
}
"""Columns that a selection has beyond those of its corpus. `tokens`: by the tokenizer of the budget."""
