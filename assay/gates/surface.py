"""Surface features of a text: its length and its format, without its words."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
HTML = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>|&(?:[a-zA-Z]{2,8}|#\d{2,5});")
ITEM = re.compile(r"^\s*(?:[-*+•·–]|\(?\d{1,3}[.)]|[a-zA-Z][.)])\s+\S")

FEATURES = {
    "length": "words, logarithm",
    "digits": "share of the characters that are digits",
    "punctuation": "share of the characters that are neither letters, digits nor white space",
    "upper_case": "share of the letters that are capitals",
    "code_fences": "lines with a code fence, logarithm",
    "html": "tags and entities per hundred words",
    "line_breaks": "line breaks per hundred characters",
    "list_marks": "share of the lines that begin as items of a list",
}
"""Feature -> how it is measured."""


def surface_features(texts: Sequence[str]) -> pd.DataFrame:
    """Return the columns of FEATURES, one row per text, in the order of the texts. No feature depends on the words."""
    return pd.DataFrame([_features(text) for text in texts], columns=list(FEATURES), dtype=float)


def _features(text: str) -> dict[str, float]:
    words, size = len(text.split()), max(len(text), 1)
    letters = sum(map(str.isalpha, text))
    digits = sum(map(str.isdigit, text))
    spaces = sum(map(str.isspace, text))
    lines = [line for line in text.splitlines() if line.strip()]
    return {
        "length": float(np.log1p(words)),
        "digits": digits / size,
        "punctuation": (len(text) - letters - digits - spaces) / size,
        "upper_case": sum(map(str.isupper, text)) / max(letters, 1),
        "code_fences": float(np.log1p(len(FENCE.findall(text)))),
        "html": 100 * len(HTML.findall(text)) / max(words, 1),
        "line_breaks": 100 * text.count("\n") / size,
        "list_marks": sum(bool(ITEM.match(line)) for line in lines) / max(len(lines), 1),
    }
